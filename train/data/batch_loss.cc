#include "train/data/batch_loss.h"

namespace ampgrad::train {
namespace {

Var BatchLogits(models::LanguageModel& model, Tape& tape, const Batch& batch) {
  if (batch.hidden) {
    const std::optional<HiddenState> found = batch.hidden->Find(model, batch);
    if (found) return model.LogitsFrom(tape, found->block, found->value, batch.length, batch.borders);
  }
  return model.Logits(tape, batch.inputs, batch.length, batch.borders);
}

}  // namespace

Var BatchLoss(models::LanguageModel& model, Tape& tape, const Batch& batch, std::optional<Index> count) {
  return ops::CrossEntropy(BatchLogits(model, tape, batch), batch.targets,
                           count.value_or(ops::CountTargets(batch.targets)));
}

}  // namespace ampgrad::train
