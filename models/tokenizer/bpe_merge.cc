#include "models/tokenizer/bpe_merge.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <stdexcept>
#include <string>

namespace ampgrad::models {
namespace {

constexpr uint64_t kFree = ~uint64_t{0};  // no pair: ids are below 2³¹

uint64_t PairKey(int left, int right) { return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right); }

// A token in a linked list. A merge replaces the left token by the result and removes the right token.
struct Symbol {
  int token;  // -1: removed
  int previous, next;
};

// A possible merge as a number whose order is the order of merging: by rank, then by position. It is out of date when a
// neighbouring merge has changed either token.
uint64_t Candidate(uint32_t rank, int position) { return uint64_t{rank} << 32 | static_cast<uint32_t>(position); }

}  // namespace

MergeTable::MergeTable(size_t count) {
  const size_t size = std::bit_ceil(std::max<size_t>(2 * count, 2));
  slots_.assign(size, {kFree, {0, 0}});
  shift_ = 64 - std::countr_zero(size);
}

size_t MergeTable::SlotOf(uint64_t pair) const {
  size_t slot = pair * 0x9E3779B97F4A7C15u >> shift_;  // the golden ratio spreads neighbouring pairs
  while (slots_[slot].pair != pair && slots_[slot].pair != kFree) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void MergeTable::Set(int left, int right, Merge merge) {
  slots_[SlotOf(PairKey(left, right))] = {PairKey(left, right), merge};
}

const MergeTable::Merge* MergeTable::Find(int left, int right) const {
  const Slot& slot = slots_[SlotOf(PairKey(left, right))];
  return slot.pair == kFree ? nullptr : &slot.merge;
}

void MergeAll(const MergeTable& merges, std::vector<int>& tokens) {
  if (tokens.size() > INT32_MAX) {
    throw std::runtime_error("[tokenizer] expected a word of less than 2³¹ characters, found " +
                             std::to_string(tokens.size()));
  }
  const int count = static_cast<int>(tokens.size());
  std::vector<Symbol> symbols(tokens.size());
  std::vector<uint64_t> heap;  // the least on top
  for (int i = 0; i < count; ++i) {
    symbols[i] = {tokens[i], i - 1, i + 1 < count ? i + 1 : -1};
    if (i + 1 == count) break;
    if (const auto* merge = merges.Find(tokens[i], tokens[i + 1])) heap.push_back(Candidate(merge->rank, i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto propose = [&](int left, int right) {
    if (left < 0 || right < 0) return;
    if (const auto* merge = merges.Find(symbols[left].token, symbols[right].token)) {
      heap.push_back(Candidate(merge->rank, left));
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
  };
  while (!heap.empty()) {
    const uint64_t candidate = heap.front();
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    const int left = static_cast<int>(candidate & UINT32_MAX), right = symbols[left].next;
    if (symbols[left].token < 0 || right < 0) continue;
    const auto* merge = merges.Find(symbols[left].token, symbols[right].token);
    if (!merge || merge->rank != candidate >> 32) continue;  // out of date
    symbols[left].token = merge->result;
    symbols[left].next = symbols[right].next;
    symbols[right].token = -1;
    if (symbols[left].next >= 0) symbols[symbols[left].next].previous = left;
    propose(symbols[left].previous, left);
    propose(left, symbols[left].next);
  }
  tokens.clear();
  for (int i = count > 0 ? 0 : -1; i >= 0; i = symbols[i].next) tokens.push_back(symbols[i].token);
}

}  // namespace ampgrad::models
