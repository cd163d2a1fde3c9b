#include "train/methods/bases.h"

#include <algorithm>
#include <stdexcept>

#include "ct/gram.h"
#include "tensor/kernels/kernels.h"
#include "train/data/batch_loss.h"
#include "train/methods/method.h"

namespace ampgrad::train {
namespace {

// Adds the rows of dW of each source for one batch to the Gram matrix [d, d].
void AddGradientRows(models::LanguageModel& model, const std::vector<ct::RowSource>& sources, const Batch& batch,
                     std::vector<double>& gram) {
  Tape tape;
  tape.Backward(BatchLoss(model, tape, batch));
  for (const ct::RowSource& source : sources) {
    Tensor& dw = source.matrix->form->Part("weight").grad;
    ct::AddGram(source.layout == source.matrix->layout ? dw : kernels::Transposed(dw), 1, gram);
    dw = Tensor();
  }
}

// The universal basis with the top right singular vectors of the stacked rows of dW, uncentred, in place of its own.
ct::Basis WithGradientVectors(ct::Basis basis, models::LanguageModel& given, const MethodSettings& settings,
                              const std::vector<Batch>& batches) {
  if (batches.empty()) throw std::invalid_argument("[basis] expected batches to take gradients of, found none");
  const std::unique_ptr<models::LanguageModel> model = given.Clone();
  models::SetTrainable(*model, false);
  const auto sources = ct::SelectRows(MatricesInScope(*model, settings.scope), model->width(), settings.rows);
  for (const ct::RowSource& source : sources) source.matrix->MakeTrainable();
  const Index d = model->width();
  std::vector<double> gram(d * d, 0.0);
  for (const Batch& batch : batches) AddGradientRows(*model, sources, batch, gram);
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
