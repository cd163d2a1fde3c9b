#include "train/data/batch.h"

#include <utility>

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

Batch Batch::Sequences(Index begin, Index end) const {
  const auto cut = [&](const std::vector<int>& ids) {
    return std::vector<int>(ids.begin() + Begin(begin), ids.begin() + Begin(end));
  };
  Batch part{length, cut(inputs), cut(targets)};
  if (!borders) return part;
  std::vector<Index> own;
  for (Index s = begin; s <= end; ++s) own.push_back(Begin(s) - Begin(begin));
  part.borders = std::make_shared<const std::vector<Index>>(std::move(own));
  return part;
}

void LimitEvaluation(Data& data, Index tokens) {
  Limit(data.validation, tokens);
  Limit(data.held_out, tokens);
}

}  // namespace ampgrad::train
