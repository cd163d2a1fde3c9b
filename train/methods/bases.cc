#include "train/methods/bases.h"

#include <algorithm>
#include <stdexcept>

#include "ct/gram.h"
#include "tensor/kernels/kernels.h"
#include "train/data/batch_loss.h"
#include "train/methods/method.h"

namespace ampgrad::train {
namespace {

// The universal basis with the top right singular vectors of the stacked rows of dW, uncentred, in place of its own.
ct::Basis WithGradientVectors(ct::Basis basis, models::LanguageModel& given, const MethodSettings& settings,
                              const std::vector<Batch>& batches) {
  if (batches.empty()) throw std::invalid_argument("[basis] expected batches to take gradients of, found none");
  const Index d = given.width();
  std::vector<double> gram(d * d, 0.0);
  ForEachGradient(given, settings.scope, settings.rows, batches,
                  [&](const Tensor& rows) { ct::AddGram(rows, 1, gram); });
  ct::GramEigen eigen = ct::DecomposeGram(gram, d, basis.k(), ct::Spectrum::kTop);
  basis.vectors = eigen.vectors;
  basis.eigenvalues = std::move(eigen.values);
  return basis;
}

}  // namespace

Bases::Bases(const std::vector<ct::BasisGroup>& groups) {
  if (groups.size() == 1) {
    shared_ = groups[0].basis;
    return;
  }
  for (const ct::BasisGroup& group : groups) {
    for (const ct::RowSource& source : group.sources) of_matrix_[source.matrix->name] = group.basis;
  }
}

const std::shared_ptr<const ct::Basis>& Bases::Of(const std::string& matrix) const {
  if (shared_) return shared_;
  const auto found = of_matrix_.find(matrix);
  if (found == of_matrix_.end()) throw std::invalid_argument("[method] " + matrix + " has no basis");
  return found->second;
}

void ForEachGradient(models::LanguageModel& given, const Scope& scope, ct::RowsPolicy policy,
                     const std::vector<Batch>& batches, const std::function<void(const Tensor& rows)>& body) {
  const std::unique_ptr<models::LanguageModel> model = given.Clone();
  models::SetTrainable(*model, false);
  const auto sources = ct::SelectRows(MatricesInScope(*model, scope), model->width(), policy);
  for (const ct::RowSource& source : sources) source.matrix->MakeTrainable();
  for (const Batch& batch : batches) {
    Tape tape;
    tape.Backward(BatchLoss(*model, tape, batch));
    for (const ct::RowSource& source : sources) {
      Tensor& dw = source.matrix->form->Part("weight").grad;
      body(source.layout == source.matrix->layout ? dw : kernels::Transposed(dw));
      dw = Tensor();
    }
  }
}

Bases MakeBases(models::LanguageModel& model, const MethodSettings& settings, const ct::RowSample& sample,
                const std::vector<Batch>& batches) {
  if (!settings.NeedsBasis()) return {};
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), settings.rows);
  const Index k = settings.method != "amplitude" ? settings.rank : std::max<Index>(1, settings.k);
  if (settings.basis != ct::BasisKind::kGradient) {
    return Bases(ct::ComputeBases(settings.basis, sources, k, sample, settings.seed));
  }
  return {std::make_shared<const ct::Basis>(
      WithGradientVectors(ct::ComputeBasis(sources, k, sample), model, settings, batches))};
}

}  // namespace ampgrad::train
