#include "train/methods/prepare.h"

namespace ampgrad::train {

void PrepareNorms(models::LanguageModel& model, const MethodSettings& settings, const Bases&) {
  const Scope& scope = settings.scope;
  const auto train = [](const nn::Parts& parts) {
    for (Param* vector : parts.vectors) vector->trainable = true;
  };
  if (scope.all_layers) return train(model.Parts());
  for (Index i = scope.first; i <= scope.last; ++i) train(model.BlockParts(i));
}

}  // namespace ampgrad::train
