#pragma once

#include <functional>
#include <map>
#include <utility>

#include "autograd/tape.h"

namespace ampgrad::nn {

/// An activation that one or more matrices read, with what their forms derive from it, once for all of them.
class Input {
 public:
  explicit Input(Var x) : x_(std::move(x)) {}
  const Var& x() const { return x_; }

  /// The result of `make` for x. `make` is called only the first time that `key` is seen, so a key must always come
  /// with the same `make`.
  const Var& Derived(const void* key, const std::function<Var(const Var& x)>& make) {
    const auto found = derived_.find(key);
    return found != derived_.end() ? found->second : derived_.emplace(key, make(x_)).first->second;
  }

 private:
  Var x_;
  std::map<const void*, Var> derived_;
};

}  // namespace ampgrad::nn
