#pragma once

#include <functional>
#include <map>
#include <utility>

#include "autograd/tape.h"

namespace ampgrad::nn {

/// An activation that one or several matrices read, with what their forms derive from it once for all of them.
class Input {
 public:
  explicit Input(Var x) : x_(std::move(x)) {}
  const Var& x() const { return x_; }

  /// What `make` returns for x; it is called the first time that `key` is seen, and `key` must be the same for the same
  /// `make`.
  const Var& Derived(const void* key, const std::function<Var(const Var& x)>& make) {
    const auto found = derived_.find(key);
    return found != derived_.end() ? found->second : derived_.emplace(key, make(x_)).first->second;
  }

 private:
  Var x_;
  std::map<const void*, Var> derived_;
};

}  // namespace ampgrad::nn
