#pragma once

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "train/ranks/ranks.h"

namespace ampgrad::train {

/// Ranks that are threads of one process and share memory.
class ThreadRanks {
 public:
  /// Calls `body` once on each of `size` ranks, in a thread each. What it throws ends the test program.
  static void Run(int size, const std::function<void(Ranks&)>& body) {
    ThreadRanks all(size);
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size; ++rank) {
      threads.emplace_back([&, rank] {
        One one(all, rank);
        body(one);
      });
    }
  }

 private:
  explicit ThreadRanks(int size) : size_(size), barrier_(size), values_(size), bytes_(size) {}

  class One final : public Ranks {
   public:
    One(ThreadRanks& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return all_.size_; }
    void Sum(std::span<int64_t> values) override {
      all_.values_[rank_] = values;
      all_.barrier_.arrive_and_wait();
      std::vector<int64_t> sums(values.size());
      // From the last rank to the first, and from another one on each: no order may matter.
      for (int i = 0; i < all_.size_; ++i) {
        const std::span<int64_t> other = all_.values_[(2 * all_.size_ - 1 - rank_ - i) % all_.size_];
        for (size_t n = 0; n < sums.size(); ++n) sums[n] += other[n];
      }
      all_.barrier_.arrive_and_wait();
      std::copy(sums.begin(), sums.end(), values.begin());
    }
    std::vector<std::string> Gather(const std::string& bytes) override {
      all_.bytes_[rank_] = bytes;
      all_.barrier_.arrive_and_wait();
      std::vector<std::string> copy = all_.bytes_;
      all_.barrier_.arrive_and_wait();
      return copy;
    }

   private:
    ThreadRanks& all_;
    int rank_;
  };

  int size_;
  std::barrier<> barrier_;
  std::vector<std::span<int64_t>> values_;
  std::vector<std::string> bytes_;
};

}  // namespace ampgrad::train
