#include "train/data/batch.h"

#include <algorithm>
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
  const auto first = [&](Index shard) -> Index {
    if (!borders) return shard * sequences() / shards;
    return std::lower_bound(borders->begin(), borders->end(), shard * tokens() / shards) - borders->begin();
  };
  const Index begin = first(i), end = first(i + 1);
  const auto cut = [&](const std::vector<int>& ids) {
    return std::vector<int>(ids.begin() + Begin(begin), ids.begin() + Begin(end));
  };
  Batch shard{length, cut(inputs), cut(targets), nullptr, hidden};
  if (!borders) return shard;
  std::vector<Index> own;
  for (Index s = begin; s <= end; ++s) own.push_back(Begin(s) - Begin(begin));
  shard.borders = std::make_shared<const std::vector<Index>>(std::move(own));
  return shard;
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

Data WithHidden(Data data, std::shared_ptr<HiddenSource> steps, const std::shared_ptr<HiddenSource>& evaluations) {
  data.train = [train = std::move(data.train), steps = std::move(steps)](Index step) {
    Batch batch = train(step);
    batch.hidden = steps;
    return batch;
  };
  for (std::vector<Batch>* part : {&data.validation, &data.held_out}) {
    for (Batch& batch : *part) batch.hidden = evaluations;
  }
  return data;
}

}  // namespace ampgrad::train
