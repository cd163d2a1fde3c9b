#include "train/methods/prepare.h"

namespace ampgrad::train {

void PrepareFull(models::LanguageModel& model, const MethodSettings& settings, const Bases&) {
  const bool all = settings.scope.all_layers && settings.scope.targets.empty();
  models::SetTrainable(model, all);
  if (all) return;
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) matrix->MakeTrainable();
}

}  // namespace ampgrad::train
