#include <memory>
#include <utility>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {

void PrepareLora(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    matrix->form = std::make_unique<nn::LowRank>(matrix->Base(), MakeFactors(*matrix, settings, bases),
                                                 nn::TrainedFactors::kBoth, settings.chain);
  }
}

}  // namespace ampgrad::train
