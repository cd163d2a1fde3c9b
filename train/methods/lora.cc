#include <memory>
#include <utility>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {

void PrepareLora(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    auto form = std::make_unique<nn::LowRank>(matrix->Base(), MakeFactors(*matrix, settings, bases),
                                              nn::TrainedFactors::kBoth, settings.chain);
    form->set_dropout(settings.dropout);
    matrix->form = std::move(form);
  }
}

}  // namespace ampgrad::train
