#include "train/data/batch_loss.h"

namespace ampgrad::train {

Var BatchLoss(models::LanguageModel& model, Tape& tape, const Batch& batch, std::optional<Index> count) {
  return ops::CrossEntropy(model.Logits(tape, batch.inputs, batch.length, batch.borders), batch.targets,
                           count.value_or(ops::CountTargets(batch.targets)));
}

}  // namespace ampgrad::train
