#pragma once

#include <cstdint>
#include <vector>

#include "train/optimizer.h"
#include "train/ranks/ranks.h"

namespace ampgrad::train {

/// The sum of the gradients of a step's S shards, in whole numbers: a gradient g counts rint(g·2^(62 − ⌈log2 S⌉ − e))
/// where 2^e is above every |g|. Whole numbers have the same sum in any order, so its bits depend on the shards alone:
/// not on the rank that makes a shard, nor on when, nor on how the ranks add. Of a float gradient above 2^(e − 36) no
/// bit is lost before the sum, which is then rounded once. All that ranks must tell each other travels in one message:
/// the sums, and for each shard its loss and largest |g|, whose bits stand in a place that only its own rank fills.
class ShardSum {
 public:
  struct Total {
    double loss;     // of all shards
    double largest;  // |g|, or not finite where one is not
    bool signalled;  // the program of a rank has noted a signal
  };

  /// Empties it, for the parameters of `slots` that train and for gradients below 2^exponent.
  void Begin(const std::vector<Optimizer::Slot>& slots, Index shards, int exponent);
  /// Adds the gradients of a shard and frees them. If one is not below the bound, only the shard's figures are noted.
  void Add(Index shard, double loss);
  /// Adds what the other ranks have.
  Total Over(Ranks& ranks);
  /// Makes the sums the parameters' gradients. A parameter that no shard has a gradient of gets none.
  void Return();

  /// The length of that message, for `numbers` numbers of `params` parameters.
  static Index BytesOf(Index numbers, Index params, Index shards) { return 8 * (numbers + params + 2 * shards + 1); }

 private:
  std::vector<Param*> params_;
  std::vector<int64_t> message_;  // sums, how many shards have a gradient of each parameter, losses, largest, signals
  Index numbers_ = 0, shards_ = 0;
  int exponent_ = 0, power_ = 0;  // a gradient counts g·2^power
};

/// The bound 2^e for the gradients of the next step, where `largest` was the largest |g| of this one: eight bits above.
int NextExponent(double largest);

}  // namespace ampgrad::train
