#include "train/data/batch.h"

namespace ampgrad::train {
namespace {

// Leaves out the last batches, but never the first.
void Limit(std::vector<Batch>& batches, Index tokens) {
  size_t kept = 0;
  for (Index sum = 0; kept < batches.size(); ++kept) {
    sum += batches[kept].tokens();
    if (sum > tokens && kept > 0) break;
  }
  batches.resize(kept);
}

}  // namespace

void LimitEvaluation(Data& data, Index tokens) {
  Limit(data.validation, tokens);
  Limit(data.held_out, tokens);
}

}  // namespace ampgrad::train
