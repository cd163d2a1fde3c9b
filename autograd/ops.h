#pragma once

#include <memory>
#include <vector>

#include "autograd/tape.h"
#include "tensor/random.h"
#include "tensor/stored_tensor.h"

/// The differentiable ops. Each is one function in an ops_*.cc, under a comment block that gives its shapes, forward,
/// backward and saves. When shapes do not fit, an op throws std::invalid_argument; the message begins with its name.
///
/// Letters: B batch, T sequence length, N = B·T rows, C channels (the hidden size), V vocabulary, H query heads,
/// G key/value heads, D head dimension.
namespace ampgrad::ops {

/// How a weight is stored: as nn.Linear stores it, y = x·Wᵀ, or as GPT-2's Conv1D does, y = x·W.
enum class Layout { kOutIn, kInOut };

/// A target that does not count in the loss, as in PyTorch.
inline constexpr int kIgnored = -100;

/// How N rows are cut into B sequences of unequal length: B + 1 numbers b, rising from 0 to N; sequence s has rows
/// [b_s, b_s+1). All layers share it. Null: all sequences have one length.
using Borders = std::shared_ptr<const std::vector<Index>>;

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
/// Rows `ids` [N] of the table [V, C], as [N, C]. Throws std::invalid_argument for an id that is not in 0..V−1.
Var Embedding(const Var& table, const std::vector<int>& ids);
/// x·Wᵀ + b for W [out, in], or x·W + b for W [in, out], by the layout: x [N, in], b [out] → [N, out]; `bias` may be
/// null.
Var Linear(const Var& x, const Var& weight, Layout layout, const Var* bias);

// ops_frozen.cc
/// Linear with a weight that never trains and is read in its stored type.
Var FrozenLinear(const Var& x, const StoredTensor& weight, Layout layout, const Var* bias);
/// Rows `ids` of a table [V, C] that never trains, as a constant [N, C]; ids are checked against V.
Tensor FrozenRows(const StoredTensor& table, const std::vector<int>& ids);

// ops_low_rank.cc: B·A is a matrix of rank r, added to a constant one
/// C + B·A for C [n, d], B [n, r], A [r, d] → [n, d].
Var AddProduct(const Tensor& c, const Var& b, const Var& a);
/// x·(W₀ + B·A)ᵀ + b or x·(W₀ + (B·A)ᵀ) + b by the layout of W₀, given P = x·Aᵀ [N, r] for A [r, in]; x [N, in],
/// B [out, r], b [out] → [N, out]; `bias` may be null. The sum of the matrices is never formed.
Var LowRankLinear(const Var& x, const StoredTensor& weight, Layout layout, const Var& p, const Var& b, const Var* bias);

// ops_scale.cc
/// s·x.
Var Scale(const Var& x, Real s);
/// Row i of x [n, d] times g_i; g [n].
Var ScaleRows(const Var& x, const Var& g);
/// Column j of x [N, d] times g_j, plus b_j; g, b [d]; `bias` may be null.
Var ScaleColumns(const Var& x, const Var& g, const Var* bias);

// ops_sparse.cc
/// C [n, d] with v_i added at position positions_i of its row-major order; v [m], as many as positions. Throws
/// std::invalid_argument for a position outside C. No position may stand twice, which is not checked.
Var AddAt(const Tensor& c, const std::shared_ptr<const std::vector<Index>>& positions, const Var& v);

// ops_dropout.cc
/// Sets each element of x to zero with probability `rate`, in 0 to below 1, and divides the others by 1 − rate
/// (Srivastava et al., JMLR 15, 2014). Element i is decided by number i of `random`.
Var Dropout(const Var& x, double rate, const Random& random);

// ops_norm.cc
/// Layer normalisation of each row of x [N, C], with gain and bias [C] (Ba, Kiros, Hinton, arXiv:1607.06450).
Var LayerNorm(const Var& x, const Var& gain, const Var& bias, Real eps);
/// Root-mean-square normalisation of each row of x [N, C], with gain [C] (Zhang and Sennrich, arXiv:1910.07467).
Var RmsNorm(const Var& x, const Var& gain, Real eps);

// ops_attention.cc
/// Cosines and sines [length, D/2] of the angles position·frequency, in radians, by which rotary positions rotate.
struct RotaryTable {
  Tensor cosines, sines;
};
/// The table of positions [offset, offset + length), computed once for all layers; `inverse_frequencies` [D/2], radians
/// a position. Throws std::invalid_argument when length is below 1, offset below 0, or there is no frequency.
RotaryTable MakeRotaryTable(const Tensor& inverse_frequencies, Index length, Index offset = 0);
/// Rotary position embedding (Su et al., arXiv:2104.09864) of x [N, heads·D] in the rotate-half convention. Row n has
/// position n mod length of the table.
Var Rotary(const Var& x, const RotaryTable& table);
/// Causal scaled-dot-product attention: q [B·length, H·D], k and v [B·(offset + length), G·D]; query head h reads
/// key/value head h / (H/G). The queries of a sequence are its last `length` positions: under the causal mask, query i
/// attends to keys 0 to offset + i. With `borders`, which take the place of `length`, q [N, H·D], k and v [N, G·D] hold
/// sequences side by side, none of which sees another, and offset must be 0.
Var CausalAttention(const Var& q, const Var& k, const Var& v, Index length, Index heads, Index kv_heads,
                    Index offset = 0, const Borders& borders = nullptr);
/// The same with q, k and v side by side: qkv [N, 3·H·D].
Var CausalSelfAttention(const Var& qkv, Index length, Index heads, const Borders& borders = nullptr);

// ops_loss.cc
/// How many of `targets` are not kIgnored.
Index CountTargets(const std::vector<int>& targets);
/// The negative log-likelihood of `targets` [N] under softmax(logits [N, V]), summed over targets other than kIgnored
/// and divided by `count`. For a mean, `count` is the number of these targets. If the rows are a part of a step,
/// `count` is the number of the whole step, so that the losses and gradients of its parts add up to those of the step.
/// The result is a scalar, in nats. Throws std::invalid_argument for a target that is neither in 0..V−1 nor kIgnored,
/// and for a count that is below 1 or below the number of targets here.
Var CrossEntropy(const Var& logits, const std::vector<int>& targets, Index count);

}  // namespace ampgrad::ops
