#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tensor/random.h"
#include "train/corpus/bigrams.h"
#include "train/corpus/doubles.h"

/// Random matrices and texts for the tests of train/corpus.
namespace ampgrad::corpus {

/// Normal numbers.
inline Doubles RandomDoubles(Index rows, Index cols, uint64_t seed) {
  Doubles x(rows, cols);
  const Random random(seed, 0);
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] = random.Normal(i);
  return x;
}

/// A text whose low ids are frequent; its pairs are independent.
inline std::vector<int> SkewedIds(Index count, Index vocabulary, uint64_t seed) {
  std::vector<int> ids;
  const Random random(seed, 1);
  for (Index i = 0; i < count; ++i) {
    const double u = random.Uniform(static_cast<uint64_t>(i));
    ids.push_back(static_cast<int>(u * u * static_cast<double>(vocabulary)));
  }
  return ids;
}

/// How often each pair occurs, [V, V], counted one by one.
inline Doubles DensePairs(const std::vector<int>& ids, Index vocabulary) {
  Doubles pairs(vocabulary, vocabulary);
  for (size_t i = 0; i + 1 < ids.size(); ++i) ++pairs.row(ids[i])[ids[i + 1]];
  return pairs;
}

}  // namespace ampgrad::corpus
