#include "nn/forms/dora.h"

#include <memory>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {

void PrepareDora(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    matrix->form = std::make_unique<nn::Dora>(BaseOf(*matrix), MakeFactors(*matrix, settings, settings.factors, bases),
                                              Tensor(), settings.chain);
  }
}

}  // namespace ampgrad::train
