#include <cmath>
#include <memory>
#include <utility>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {

// PiSSA (Meng et al., arXiv:2404.02948): with the top singular triplets (U, σ, V) of W₀, A = √(σ/s)·V and B = U·√(σ/s)
// train, and W₀ − s·B·A is frozen. From the bottom ones it is MiLoRA (arXiv:2406.09044).
void PreparePissa(models::LanguageModel& model, const MethodSettings& settings, const Bases&) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    FrozenPair pair = MakeFrozenPair(*matrix, settings);
    const Real scale = settings.Scale();
    for (Index i = 0; i < settings.rank; ++i) {
      const Real root = static_cast<Real>(std::sqrt(pair.values.at(i) / scale));
      for (Index j = 0; j < pair.a.cols(); ++j) pair.a.row(i)[j] *= root;
      for (Index o = 0; o < pair.b.rows(); ++o) pair.b.row(o)[i] *= root;
    }
    const nn::Factors factors{pair.a, pair.b, scale}, first{pair.a.Clone(), pair.b.Clone(), scale};
    matrix->form =
        std::make_unique<nn::LowRank>(matrix->Base(), factors, nn::TrainedFactors::kBoth, settings.chain, first);
  }
}

}  // namespace ampgrad::train
