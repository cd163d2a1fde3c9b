#pragma once

#include <vector>

#include "autograd/tape.h"
#include "tensor/bf16.h"

/// The differentiable ops. Each stands in an ops_*.cc as one function, under a comment block that gives its shapes, forward,
/// backward and what it saves. Every op throws std::invalid_argument, its own name first, when shapes do not fit.
///
/// Letters: B batch, T sequence length, N = B·T rows, C channels, V vocabulary, H query heads, G key/value heads,
/// D head dimension.
namespace ampgrad::ops {

/// How a weight is stored: as nn.Linear stores it, y = x·Wᵀ, or as GPT-2's Conv1D does, y = x·W.
enum class Layout { kOutIn, kInOut };

/// A target that is no part of the loss, as in PyTorch.
inline constexpr int kIgnored = -100;

// ops_basic.cc
/// x + y, equal shapes.
Var Add(const Var& x, const Var& y);
/// x ⊙ y, equal shapes.
Var Mul(const Var& x, const Var& y);
/// GELU in its tanh form (Hendrycks and Gimpel, arXiv:1606.08415; "gelu_new" in Hugging Face).
Var Gelu(const Var& x);
/// SiLU, x·σ(x).
Var Silu(const Var& x);

// ops_matmul.cc
/// Rows `ids` of the table [V, C]; ids are checked against V.
Var Embedding(const Var& table, const std::vector<int>& ids);
/// x·Wᵀ + b or x·W + b; `bias` may be null.
Var Linear(const Var& x, const Var& weight, Layout layout, const Var* bias);

// ops_frozen.cc
/// Linear with a weight that never trains and stays at half width.
Var FrozenLinear(const Var& x, const Bf16Tensor& weight, Layout layout, const Var* bias);
/// Rows `ids` of a table [V, C] at half width, as a constant [N, C]; ids are checked against V.
Tensor FrozenRows(const Bf16Tensor& table, const std::vector<int>& ids);

// ops_norm.cc
/// Layer normalisation over the last axis (Ba, Kiros, Hinton, arXiv:1607.06450).
Var LayerNorm(const Var& x, const Var& gain, const Var& bias, Real eps);
/// Root-mean-square normalisation over the last axis (Zhang and Sennrich, arXiv:1910.07467).
Var RmsNorm(const Var& x, const Var& gain, Real eps);

// ops_attention.cc
/// Rotary position embedding of x [N, heads·D] in the rotate-half convention; row n is at position offset + n mod
/// length.
/// `inverse_frequencies` [D/2].
Var Rotary(const Var& x, Index length, const Tensor& inverse_frequencies, Index offset = 0);
/// Causal scaled-dot-product attention: q [B·length, H·D], k and v [B·(offset + length), G·D]; query head h reads
/// key/value head h / (H/G). The queries of a sequence stand at its last `length` positions: query i sees keys
/// 0..offset + i.
Var CausalAttention(const Var& q, const Var& k, const Var& v, Index length, Index heads, Index kv_heads,
                    Index offset = 0);
/// The same with q, k and v side by side: qkv [N, 3·H·D].
Var CausalSelfAttention(const Var& qkv, Index length, Index heads);

// ops_loss.cc
/// Mean negative log-likelihood of `targets` [N] under softmax(logits [N, V]), over targets that are not kIgnored.
Var CrossEntropy(const Var& logits, const std::vector<int>& targets);

}  // namespace ampgrad::ops
