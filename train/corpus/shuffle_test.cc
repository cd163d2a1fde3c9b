#include "train/corpus/shuffle_test.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::corpus {
namespace {

constexpr uint64_t kShuffleStream = 0x73687566666C65;  // "shuffle"; draw i has stream kShuffleStream + i

std::vector<Index> InOrder(Index n) {
  std::vector<Index> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), Index{0});
  return rows;
}

void RequireRows(const CrossValidation& regression, const Doubles& targets) {
  if (targets.rows != regression.rows()) {
    throw std::invalid_argument("[ridge] expected targets of " + std::to_string(regression.rows()) +
                                " rows, those of the features, found " + std::to_string(targets.rows));
  }
}

}  // namespace

void Prediction::Add(const Prediction& other) {
  observed.Add(other.observed);
  shuffled.resize(other.shuffled.size());
  for (size_t i = 0; i < shuffled.size(); ++i) shuffled[i].Add(other.shuffled[i]);
}

double Prediction::ShuffledMean() const {
  double sum = 0;
  for (const Explained& draw : shuffled) sum += draw.r2();
  return sum / static_cast<double>(shuffled.size());
}

double Prediction::ShuffledTop() const {
  std::vector<double> sorted;
  for (const Explained& draw : shuffled) sorted.push_back(draw.r2());
  std::sort(sorted.begin(), sorted.end());
  return sorted[(sorted.size() * 95 + 99) / 100 - 1];
}

Index Prediction::Rank() const {
  return 1 + std::count_if(shuffled.begin(), shuffled.end(), [this](const Explained& x) { return x.r2() >= r2(); });
}

double Prediction::PValue() const { return static_cast<double>(Rank()) / static_cast<double>(shuffled.size() + 1); }

Prediction PredictWithShuffles(const CrossValidation& regression, const Doubles& targets, uint64_t seed) {
  RequireRows(regression, targets);
  Prediction prediction{{}, std::vector<Explained>(kShuffles)};
  ParallelFor(kShuffles + 1, [&](Index task) {
    if (task == kShuffles) {
      prediction.observed = regression.Predict(targets, InOrder(targets.rows));
    } else {
      const Random random(seed, kShuffleStream + static_cast<uint64_t>(task));
      prediction.shuffled[task] = regression.Predict(targets, random.Permutation(targets.rows));
    }
  });
  return prediction;
}

Explained PredictInOrder(const CrossValidation& regression, const Doubles& targets) {
  RequireRows(regression, targets);
  return regression.Predict(targets, InOrder(targets.rows));
}

}  // namespace ampgrad::corpus
