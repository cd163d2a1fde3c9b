#include "train/shard_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "train/interrupt.h"

namespace ampgrad::train {
namespace {

// The largest |g|, or one that is not finite.
double Largest(const Tensor& grad) {
  Real largest = 0;
  for (const Real g : grad) {
    const Real size = std::abs(g);
    if (!std::isfinite(size)) return size;
    largest = std::max(largest, size);
  }
  return largest;
}

}  // namespace

void ShardSum::Begin(const std::vector<Optimizer::Slot>& slots, Index shards, int exponent) {
  params_.clear();
  numbers_ = 0;
  for (const Optimizer::Slot& slot : slots) {
    if (!slot.param->trainable) continue;
    params_.push_back(slot.param);
    numbers_ += slot.param->value.size();
  }
  shards_ = shards;
  exponent_ = exponent;
  power_ = 62 - std::bit_width(static_cast<uint64_t>(shards - 1)) - exponent;
  message_.assign(BytesOf(numbers_, static_cast<Index>(params_.size()), shards) / 8, 0);
}

void ShardSum::Add(Index shard, double loss) {
  double largest = 0;
  for (const Param* param : params_) {
    if (const double own = Largest(param->grad); !(own <= largest)) largest = own;
    if (!std::isfinite(largest)) break;
  }
  int64_t* sum = message_.data();
  int64_t* counts = message_.data() + numbers_;
  int64_t* losses = counts + params_.size();
  losses[shard] = std::bit_cast<int64_t>(loss);
  losses[shards_ + shard] = std::bit_cast<int64_t>(largest);
  const bool fits = largest < std::ldexp(1.0, exponent_);
  const double scale = std::ldexp(1.0, power_);
  for (size_t i = 0; i < params_.size(); ++i) {
    const Tensor& grad = params_[i]->grad;
    if (fits && !grad.empty()) {
      for (Index n = 0; n < grad.size(); ++n) sum[n] += std::llrint(static_cast<double>(grad[n]) * scale);
      ++counts[i];
    }
    sum += params_[i]->value.size();
    params_[i]->grad = Tensor();
  }
}

ShardSum::Total ShardSum::Over(Ranks& ranks) {
  message_.back() = NotedSignal() != 0;
  ranks.Sum(message_);
  Total total{0, 0, message_.back() != 0};
  const std::span<const int64_t> figures(message_.data() + numbers_ + params_.size(), 2 * shards_);
  for (Index shard = 0; shard < shards_; ++shard) {
    total.loss += std::bit_cast<double>(figures[shard]);
    const double largest = std::bit_cast<double>(figures[shards_ + shard]);
    if (std::isfinite(total.largest) && !(largest <= total.largest)) total.largest = largest;
  }
  return total;
}

void ShardSum::Return() {
  const int64_t* sum = message_.data();
  const double scale = std::ldexp(1.0, -power_);
  for (size_t i = 0; i < params_.size(); ++i) {
    Tensor& value = params_[i]->value;
    if (message_[numbers_ + i] > 0) {
      Tensor grad = Tensor::Uninitialized(value.shape());
      // The whole number becomes a Real first: rounded once, as the power of two changes no bit of it.
      for (Index n = 0; n < grad.size(); ++n) {
        grad[n] = static_cast<Real>(static_cast<double>(static_cast<Real>(sum[n])) * scale);
      }
      params_[i]->grad = std::move(grad);
    }
    sum += value.size();
  }
}

int NextExponent(double largest) {
  constexpr int kHeadroom = 8, kSmallest = -126;
  int exponent = 0;
  std::frexp(largest, &exponent);  // largest < 2^exponent
  return std::max(exponent + kHeadroom, kSmallest);
}

}  // namespace ampgrad::train
