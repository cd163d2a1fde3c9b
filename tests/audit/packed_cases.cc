#include "tests/audit/op_cases.h"
#include "tests/reference/ops.h"

// Attention over sequences of unequal length, side by side.
namespace ampgrad::audit {
namespace {

std::string Text(const std::vector<Index>& borders) {
  std::string text = ", borders";
  for (const Index border : borders) text += " " + std::to_string(border);
  return text;
}

ops::Borders SharedBorders(const std::vector<Index>& borders) {
  return std::make_shared<const std::vector<Index>>(borders);
}

}  // namespace

OpCase PackedAttentionCase(const std::vector<Index>& borders, Index heads, Index kv_heads, Index dim) {
  const Index rows = borders.back();
  return {"causal_attention",
          Shape{rows, heads * dim}.ToString() + ", heads " + std::to_string(heads) + "/" + std::to_string(kv_heads) +
              Text(borders),
          {{"q", Normal({rows, heads * dim}, 0)},
           {"k", Normal({rows, kv_heads * dim}, 1)},
           {"v", Normal({rows, kv_heads * dim}, 2)}},
          [=, shared = SharedBorders(borders)](Tape&, const Vars& x) {
            return ops::CausalAttention(x[0], x[1], x[2], 0, heads, kv_heads, 0, shared);
          },
          [=](const ComplexInputs& x) {
            return reference::PackedAttention(x[0], x[1], x[2], borders, heads, kv_heads, dim);
          }};
}

OpCase PackedSelfAttentionCase(const std::vector<Index>& borders, Index heads, Index dim) {
  const Index rows = borders.back(), channels = heads * dim;
  return {"causal_self_attention",
          Shape{rows, 3 * channels}.ToString() + ", heads " + std::to_string(heads) + Text(borders),
          {{"qkv", Normal({rows, 3 * channels}, 0)}},
          [=, shared = SharedBorders(borders)](Tape&, const Vars& x) {
            return ops::CausalSelfAttention(x[0], 0, heads, shared);
          },
          [=](const ComplexInputs& x) {
            const auto part = [&](Index i) {
              return reference::Columns(x[0], rows, 3 * channels, i * channels, channels);
            };
            return reference::PackedAttention(part(0), part(1), part(2), borders, heads, heads, dim);
          }};
}

void AddPacked(std::vector<OpCase>& cases) {
  cases.push_back(PackedAttentionCase({0, 1}, 1, 1, 1));
  cases.push_back(PackedAttentionCase({0, 3, 4, 9}, 4, 2, 5));
  cases.push_back(PackedAttentionCase({0, 1, 2, 4}, 2, 1, 3));
  cases.push_back(PackedAttentionCase({0, 33, 35}, 1, 1, 3));
  cases.push_back(OnOneInput(PackedAttentionCase({0, 2, 6}, 2, 2, 3)));
  cases.push_back(PackedSelfAttentionCase({0, 4, 6, 7}, 2, 3));
  cases.push_back(PackedSelfAttentionCase({0, 1, 5}, 3, 17));
}

}  // namespace ampgrad::audit
