#pragma once

#include "tensor/real.h"

/// Vectorised loops over plain memory. Kernels check nothing: shapes are the callers' business. Names that begin with
/// `Add` add to their output, all others set it; outputs do not overlap inputs unless a line says so.
/// Sums run in Real with one partial sum per vector lane unless a line says otherwise.
namespace ampgrad::kernels {

// --- elementwise.cc: arrays of n numbers --------------------------------------------------------------------------

/// z = x + y; z may be x or y.
void Add(const Real* x, const Real* y, Real* z, Index n);
/// y += x
inline void AddInto(const Real* x, Real* y, Index n) { Add(x, y, y, n); }
/// z = x ⊙ y
void Mul(const Real* x, const Real* y, Real* z, Index n);
/// z += x ⊙ y
void AddMul(const Real* x, const Real* y, Real* z, Index n);
/// x *= factor
void Scale(Real factor, Real* x, Index n);

/// y = GELU(x) = ½x(1 + tanh u) = x·σ(2u), u = √(2/π)(x + 0.044715x³)
void Gelu(const Real* x, Real* y, Index n);
/// dx += dy ⊙ GELU'(x)
void AddGeluBackward(const Real* x, const Real* dy, Real* dx, Index n);
/// y = SiLU(x) = x·σ(x)
void Silu(const Real* x, Real* y, Index n);
/// dx += dy ⊙ SiLU'(x)
void AddSiluBackward(const Real* x, const Real* dy, Real* dx, Index n);

// --- reduce.cc ----------------------------------------------------------------------------------------------------

/// sums [cols] += the sum of the rows of x [rows, cols]
void AddColumnSums(const Real* x, Index rows, Index cols, Real* sums);
/// Σ x², summed in double over chunks of a fixed length, so that squares of large numbers do not overflow.
double SumSquares(const Real* x, Index n);

// --- norm.cc: rows x [rows, cols]; statistics [rows] ----------------------------------------------------------------

/// y = (x − mean)·rstd ⊙ gain + bias,  rstd = 1/√(var + eps), per row.
void LayerNorm(const Real* x, const Real* gain, const Real* bias, Index rows, Index cols, Real eps, Real* y, Real* mean,
               Real* rstd);
/// Adds dx [rows, cols], dgain [cols], dbias [cols]; any of them may be null.
void AddLayerNormBackward(const Real* x, const Real* gain, const Real* mean, const Real* rstd, const Real* dy,
                          Index rows, Index cols, Real* dx, Real* dgain, Real* dbias);
/// y = x·rstd ⊙ gain,  rstd = 1/√(mean(x²) + eps), per row.
void RmsNorm(const Real* x, const Real* gain, Index rows, Index cols, Real eps, Real* y, Real* rstd);
/// Adds dx and dgain; either may be null.
void AddRmsNormBackward(const Real* x, const Real* gain, const Real* rstd, const Real* dy, Index rows, Index cols,
                        Real* dx, Real* dgain);

// --- softmax.cc -----------------------------------------------------------------------------------------------------

/// Σ over targets >= 0 of −log softmax(logits)[target], in double. logits [rows, cols]; targets [rows], negative = left
/// out. max [rows] receives the largest logit M of each row, log_sums [rows] log Σ e^(logit − M): kept apart, because
/// their sum would lose the digits of a small loss beside a large logit.
double CrossEntropySum(const Real* logits, const int* targets, Index rows, Index cols, Real* max, Real* log_sums);
/// dlogits += scale·(softmax(logits) − onehot(target)) for rows with a target.
void AddCrossEntropyBackward(const Real* logits, const int* targets, const Real* max, const Real* log_sums, Index rows,
                             Index cols, Real scale, Real* dlogits);

/// Turns raw products s [rows, keys] into causal probabilities in place: row i attends to keys 0..first + i and is
/// softmax(scale·s) there, exactly 0 behind. log_sums[i·stride] receives log Σ e^(scale·s).
void CausalSoftmax(Index rows, Index keys, Index first, Real scale, Real* s, Real* log_sums, Index stride);
/// Rebuilds the same probabilities from raw products and saved log_sums, in place.
void CausalProbabilities(Index rows, Index keys, Index first, Real scale, Real* s, const Real* log_sums, Index stride);
/// ds = scale·p ⊙ (dp − Σ p ⊙ dp) per row, written over dp [rows, keys]; `pdp` [rows·stride] holds Σ p ⊙ dp.
void SoftmaxBackward(Index rows, Index keys, Real scale, const Real* p, Real* dp, const Real* pdp, Index stride);

// --- attention.cc: see ops_attention.cc for the formulas --------------------------------------------------------------

/// Sizes of an attention call: q [batch·length, heads·dim], k and v [batch·length, kv_heads·dim].
struct AttentionShape {
  Index batch, length, heads, kv_heads, dim;
};

/// o [batch·length, heads·dim], log_sums [batch·length, heads]
void CausalAttention(const AttentionShape& shape, const Real* q, const Real* k, const Real* v, Real* o, Real* log_sums);
/// Adds dq, dk, dv; any of them may be null.
void AddCausalAttentionBackward(const AttentionShape& shape, const Real* q, const Real* k, const Real* v, const Real* o,
                                const Real* log_sums, const Real* d_o, Real* dq, Real* dk, Real* dv);

// --- rotary.cc ------------------------------------------------------------------------------------------------------

/// y += R(±position)·x for every head of x [rows, heads·dim]; row n is at position n mod length. cosines and sines
/// [length, dim/2]; `sign` −1 rotates backwards, which is the transpose.
void AddRotary(const Real* x, Index rows, Index length, Index heads, Index dim, const Real* cosines, const Real* sines,
               Real sign, Real* y);

// --- adamw.cc -------------------------------------------------------------------------------------------------------

/// Constants of one AdamW step, worked out in double by the caller: 1 − 0.999f would be off by 1e-5.
struct AdamWStep {
  Real beta1, rest1;  // β₁, 1 − β₁
  Real beta2, rest2;  // β₂, 1 − β₂
  Real decay;         // 1 − lr·wd
  Real rate;          // lr / (1 − β₁^t) for step t = 1, 2, …
  Real unbias2;       // 1 / (1 − β₂^t)
  Real eps;
};

/// m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← p·decay − rate·m / (√(v·unbias2) + eps)
/// (Loshchilov and Hutter, arXiv:1711.05101; the order is PyTorch's.)
void AdamW(const AdamWStep& step, const Real* grad, Real* param, Real* m, Real* v, Index n);

}  // namespace ampgrad::kernels
