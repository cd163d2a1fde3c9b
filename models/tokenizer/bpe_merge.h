#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ampgrad::models {

/// The merges of a byte-pair encoding: for a pair of neighbouring tokens, the rank of its merge (lower ranks first) and
/// the token that replaces the pair. A hash table with open addressing, since lookups are most of the work of encoding.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank;
    int result;
  };
  /// Room for `count` merges.
  explicit MergeTable(size_t count);
  /// A later merge of a pair replaces an earlier one, as in Hugging Face's library.
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

/// Merges neighbours in `tokens` until no pair can be merged: each time the leftmost pair of lowest rank.
/// O(n log n) in the number of tokens. Throws std::runtime_error for 2³¹ tokens or more.
void MergeAll(const MergeTable& merges, std::vector<int>& tokens);

}  // namespace ampgrad::models
