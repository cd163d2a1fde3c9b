#include <memory>
#include <utility>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {

// B trains and A is frozen; where the universal basis is B, A trains.
void PrepareLoraFa(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    const bool frozen_b = settings.factors == FactorSource::kBasis && BasisIsB(*matrix, model.width());
    matrix->form =
        std::make_unique<nn::LowRank>(matrix->Base(), MakeFactors(*matrix, settings, bases),
                                      frozen_b ? nn::TrainedFactors::kA : nn::TrainedFactors::kB, settings.chain);
  }
}

}  // namespace ampgrad::train
