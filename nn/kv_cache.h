#pragma once

#include <vector>

#include "autograd/ops.h"

/// The keys and values that attention has computed for one sequence, kept for later tokens. They carry no gradients.
namespace ampgrad::nn {

/// The keys and values of one attention layer, a row for each position.
struct LayerCache {
  Tensor keys, values;  // [positions, G·D]; rows that are not filled yet hold any numbers
};

/// How the rows that a module receives are grouped: N = batch·length rows, in sequences of `length`, or as `borders`
/// say. In generation they continue one sequence at position `offset`. The layer's cache holds the keys and values
/// before it and receives theirs.
struct Sequences {
  Index length;
  Index offset = 0;
  LayerCache* cache = nullptr;     // null in training
  ops::RotaryTable rotary = {};    // in models with rotary positions: for those of a sequence or, with borders, of all
  ops::Borders borders = nullptr;  // null in generation
};

/// The layers' keys and values of one sequence, of which the first `length` positions are filled.
struct KvCache {
  /// Room for `positions` tokens; `width` is G·D.
  KvCache(Index layers, Index positions, Index width);

  Index positions() const { return layers.empty() ? 0 : layers.front().keys.rows(); }
  /// The Sequences of a layer for `count` tokens after the filled positions. Throws std::invalid_argument when count is
  /// below 1 or there is no room.
  Sequences Next(Index layer, Index count);

  std::vector<LayerCache> layers;
  Index length = 0;
};

/// Throws std::logic_error when x needs a gradient: cached keys and values carry none.
void RequireNoGradient(const Var& x);

/// Keys and values that queries attend to; constants on the tape if they come from a cache.
struct SeenKeys {
  Var keys, values;  // [batch·(offset + length), G·D]
};

/// Puts k and v [length, G·D] into the cache at positions [offset, offset + length), and returns all rows up to there.
/// Throws std::invalid_argument when they do not fit, and std::logic_error when one needs a gradient.
SeenKeys Remember(const Sequences& at, const Var& k, const Var& v);

}  // namespace ampgrad::nn
