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

Batch Batch::Shard(Index i, Index shards) const {
  const Index begin = i * sequences() / shards, end = (i + 1) * sequences() / shards;
  const auto cut = [&](const std::vector<int>& ids) {
    return std::vector<int>(ids.begin() + begin * length, ids.begin() + end * length);
  };
  return {length, cut(inputs), cut(targets)};
}

void CutEvaluation(Data& data, Index shards) {
  for (std::vector<Batch>* part : {&data.validation, &data.held_out}) {
    std::vector<Batch> cut;
    for (const Batch& batch : *part) {
      for (Index i = 0; i < shards; ++i) {
        if (Batch shard = batch.Shard(i, shards); shard.tokens() > 0) cut.push_back(std::move(shard));
      }
    }
    *part = std::move(cut);
  }
}

void LimitEvaluation(Data& data, Index tokens) {
  Limit(data.validation, tokens);
  Limit(data.held_out, tokens);
}

}  // namespace ampgrad::train
