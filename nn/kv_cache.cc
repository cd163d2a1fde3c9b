#include "nn/kv_cache.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace ampgrad::nn {
namespace {

// Writes the rows of x after the first `offset` cached rows and returns all cached rows up to the last of x.
Var Append(const Var& x, Index offset, Tensor& cached) {
  RequireNoGradient(x);
  const Index end = offset + x.shape().rows();
  if (x.shape().cols() != cached.cols() || offset < 0 || end > cached.rows()) {
    throw std::invalid_argument("[kv_cache] expected rows that fit into " + cached.shape().ToString() +
                                " behind the first " + std::to_string(offset) + ", found " + x.shape().ToString());
  }
  std::copy(x.value.begin(), x.value.end(), cached.row(offset));
  return x.tape->Constant(cached.Rows(0, end));
}

}  // namespace

KvCache::KvCache(Index layers, Index positions, Index width) {
  for (Index i = 0; i < layers; ++i) {
    this->layers.push_back({Tensor::Uninitialized({positions, width}), Tensor::Uninitialized({positions, width})});
  }
}

Sequences KvCache::Next(Index layer, Index count) {
  if (count < 1 || count > positions() - length) {
    throw std::invalid_argument("[kv_cache] expected 1 to " + std::to_string(positions() - length) +
                                " tokens behind the " + std::to_string(length) + " in the cache, found " +
                                std::to_string(count));
  }
  return {.length = count, .offset = length, .cache = &layers[layer]};
}

void RequireNoGradient(const Var& x) {
  if (x.needs_grad()) throw std::logic_error("[kv_cache] keys and values in a cache carry no gradient");
}

SeenKeys Remember(const Sequences& at, const Var& k, const Var& v) {
  return {Append(k, at.offset, at.cache->keys), Append(v, at.offset, at.cache->values)};
}

}  // namespace ampgrad::nn
