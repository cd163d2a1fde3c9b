#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ampgrad::models {

/// The merges of a byte-pair encoding: for a pair of neighbouring tokens, the rank of its merge (less: sooner) and the token
/// that takes their place. An open hash table, since a search in it is most of the work of encoding.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank;
    int result;
  };
  /// Room for `count` merges.
  explicit MergeTable(size_t count);
  /// Of two merges of one pair, the later counts, as in Hugging Face's library.
  void Set(int left, int right, Merge merge);
  /// Null when the pair has no merge.
  const Merge* Find(int left, int right) const;

 private:
  struct Slot {
    uint64_t pair;
    Merge merge;
  };
  size_t SlotOf(uint64_t pair) const;

  std::vector<Slot> slots_;  // a power of two of them, at most half of them taken
  int shift_;
};

/// Merges neighbours of `tokens` until none can be merged: always the pair of lowest rank, of such the leftmost.
/// O(n log n) in the number of tokens. Throws std::runtime_error for 2³¹ tokens or more.
void MergeAll(const MergeTable& merges, std::vector<int>& tokens);

}  // namespace ampgrad::models
