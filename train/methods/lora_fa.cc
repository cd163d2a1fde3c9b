#include <memory>
#include <utility>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {

// B trains and A is frozen; where the universal basis is B, A trains.
void PrepareLoraFa(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    const bool frozen_b = settings.factors == FactorSource::kBasis && BasisIsB(*matrix, model.width());
    auto form =
        std::make_unique<nn::LowRank>(matrix->Base(), MakeFactors(*matrix, settings, bases),
                                      frozen_b ? nn::TrainedFactors::kA : nn::TrainedFactors::kB, settings.chain);
    form->set_dropout(settings.dropout);
    matrix->form = std::move(form);
  }
}

}  // namespace ampgrad::train
