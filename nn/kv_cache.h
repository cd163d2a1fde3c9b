#pragma once

#include <vector>

#include "autograd/ops.h"

/// What attention has computed of a sequence, kept for the tokens that follow: one sequence, and no gradients.
namespace ampgrad::nn {

/// The keys and values of one attention layer, a row for each position.
struct LayerCache {
  Tensor keys, values;  // [positions, G·D]; rows that are not filled yet hold anything
};

/// How the rows that a module receives are grouped: N = batch·length rows, in sequences of `length`. In generation they
/// are one sequence that goes on at position `offset`: the layer's cache holds what came before, and receives these.
struct Sequences {
  Index length;
  Index offset = 0;
  LayerCache* cache = nullptr;   // null in training
  ops::RotaryTable rotary = {};  // of the positions of a sequence, in models that turn by them
};

/// The layers' keys and values of one sequence, of which the first `length` positions are filled.
struct KvCache {
  /// Room for `positions` tokens; `width` is G·D.
  KvCache(Index layers, Index positions, Index width);

  Index positions() const { return layers.empty() ? 0 : layers.front().keys.rows(); }
  /// What the layer is told when `count` tokens follow the filled ones. Throws std::invalid_argument when count is
  /// below 1 or there is no room.
  Sequences Next(Index layer, Index count);

  std::vector<LayerCache> layers;
  Index length = 0;
};

/// Throws std::logic_error when x needs a gradient: what stands in a cache has none.
void RequireNoGradient(const Var& x);

/// Keys and values that queries see, as constants on a tape.
struct SeenKeys {
  Var keys, values;  // [offset + length, G·D]
};

/// Puts k and v [length, G·D] into the cache at positions offset..offset + length, and returns all rows up to there.
/// Throws std::invalid_argument when they do not fit, and as RequireNoGradient does.
SeenKeys Remember(const Sequences& at, const Var& k, const Var& v);

}  // namespace ampgrad::nn
