#include "nn/forms/core.h"

#include <memory>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {

// R starts at 0 between two frozen factors.
void PrepareCore(models::LanguageModel& model, const MethodSettings& settings, const Bases&) {
  const Index r = settings.rank;
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    const FrozenPair pair = MakeFrozenPair(*matrix, settings);
    matrix->form = std::make_unique<nn::Core>(matrix->Base(), pair.b, Tensor({r, r}), pair.a, settings.chain);
  }
}

}  // namespace ampgrad::train
