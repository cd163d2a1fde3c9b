#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "ct/singular.h"
#include "nn/forms/frozen.h"
#include "nn/forms/low_rank.h"
#include "tensor/kernels/kernels.h"
#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {
namespace {

// W = 1·μᵀ: what is left of the matrix at K = 0.
void UseMeanRow(const ct::RowSource& source, const Tensor& mean) {
  Tensor rows = Tensor::Uninitialized({source.rows, mean.size()});
  for (Index i = 0; i < rows.rows(); ++i) std::copy(mean.begin(), mean.end(), rows.row(i));
  nn::Matrix& matrix = *source.matrix;
  const StoredTensor weight(source.layout == matrix.layout ? rows : kernels::Transposed(rows));
  matrix.form = std::make_unique<nn::Frozen>(weight, matrix.layout);
}

// W = W₀ + U·S with the top left singular vectors U of each matrix of rows: B frozen, A trained, or the transpose.
void UseLeft(const ct::RowSource& source, const MethodSettings& settings) {
  const Tensor left = ct::ComputeSingular(ct::ReadRows(source), settings.k, ct::Spectrum::kTop).left;  // [K, rows]
  nn::Matrix& matrix = *source.matrix;
  const bool out_in = source.layout == ops::Layout::kOutIn;
  nn::Factors factors = out_in ? nn::Factors{Tensor({settings.k, matrix.in}), kernels::Transposed(left)}
                               : nn::Factors{left, Tensor({matrix.out, settings.k})};
  matrix.form = std::make_unique<nn::LowRank>(matrix.Base(), std::move(factors),
                                              out_in ? nn::TrainedFactors::kA : nn::TrainedFactors::kB, settings.chain);
}

}  // namespace

void PrepareAmplitude(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  const Scope& scope = settings.scope;
  const bool all = scope.all_layers && scope.targets.empty();
  auto matrices = all ? model.Parts().matrices : MatricesInScope(model, scope);
  if (scope.head) std::erase(matrices, &model.HeadMatrix());  // it trains itself, without scores
  std::map<std::shared_ptr<const ct::Basis>, std::vector<ct::RowSource>> served;
  for (const ct::RowSource& source : ct::SelectRows(matrices, model.width(), settings.rows)) {
    if (settings.basis == ct::BasisKind::kLeft) {
      UseLeft(source, settings);
    } else if (settings.k == 0) {
      UseMeanRow(source, bases.Of(source.matrix->name)->mean);
    } else {
      served[bases.Of(source.matrix->name)].push_back(source);
    }
  }
  for (const auto& [basis, sources] : served) {
    const auto truncated = std::make_shared<const ct::Basis>(ct::Truncated(*basis, settings.k));
    ct::UseAmplitude(sources, truncated, settings.start, settings.chain);
  }
}

}  // namespace ampgrad::train
