#pragma once

#include "tensor/kernels/simd/sink.h"
#include "tensor/tensor.h"

/// Vectorised loops over plain memory. Kernels check nothing: callers check shapes. A result that may have to be added
/// to something goes to a `Sink`. Every other output is set, unless its line says `+=` or that it is added to. Outputs
/// do not overlap inputs unless a line says so.
/// Sums run in Real with partial sums per vector lane unless a line says otherwise.
namespace ampgrad::kernels {

// --- elementwise.cc: arrays of n numbers --------------------------------------------------------------------------

/// z = x + y; z may be x or y.
void Add(const Real* x, const Real* y, Real* z, Index n);
/// y += x
inline void AddInto(const Real* x, Real* y, Index n) { Add(x, y, y, n); }
/// z = x ⊙ y
void Mul(const Real* x, const Real* y, Sink z, Index n);
/// x *= factor
void Scale(Real factor, Real* x, Index n);
/// y [cols, rows] = the transpose of x [rows, cols], whose rows are `stride` numbers apart. Runs on the calling thread.
void Transpose(const Real* x, Index rows, Index cols, Index stride, Real* y);
/// The transpose of a matrix [rows, cols], as a copy [cols, rows].
Tensor Transposed(const Tensor& x);

/// y = GELU(x) = ½x(1 + tanh u) = x·σ(2u), u = √(2/π)(x + 0.044715x³)
void Gelu(const Real* x, Real* y, Index n);
/// dx = dy ⊙ GELU'(x)
void GeluBackward(const Real* x, const Real* dy, Sink dx, Index n);
/// y = SiLU(x) = x·σ(x)
void Silu(const Real* x, Real* y, Index n);
/// dx = dy ⊙ SiLU'(x)
void SiluBackward(const Real* x, const Real* dy, Sink dx, Index n);

// --- reduce.cc ----------------------------------------------------------------------------------------------------

/// sums [cols] += the sum of the rows of x [rows, cols]
void AddColumnSums(const Real* x, Index rows, Index cols, Real* sums);
/// Σ x², summed in double over chunks of a fixed length, so that squares of large numbers do not overflow.
double SumSquares(const Real* x, Index n);

// --- norm.cc: x, y, dy [rows, cols]; gain, bias [cols]; mean, rstd [rows]. See ops_norm.cc for the formulas ---------

/// y = (x − mean)·rstd ⊙ gain + bias,  rstd = 1/√(var + eps), per row.
void LayerNorm(const Real* x, const Real* gain, const Real* bias, Index rows, Index cols, Real eps, Real* y, Real* mean,
               Real* rstd);
/// dx [rows, cols]; dgain [cols] and dbias [cols] are added to. Any of them may be null.
void LayerNormBackward(const Real* x, const Real* gain, const Real* mean, const Real* rstd, const Real* dy, Index rows,
                       Index cols, Sink dx, Real* dgain, Real* dbias);
/// y = x·rstd ⊙ gain,  rstd = 1/√(mean(x²) + eps), per row.
void RmsNorm(const Real* x, const Real* gain, Index rows, Index cols, Real eps, Real* y, Real* rstd);
/// dx [rows, cols]; dgain [cols] is added to. Either may be null.
void RmsNormBackward(const Real* x, const Real* gain, const Real* rstd, const Real* dy, Index rows, Index cols, Sink dx,
                     Real* dgain);

// --- softmax.cc -----------------------------------------------------------------------------------------------------

/// Σ over targets >= 0 of −log softmax(logits)[target], in double. logits [rows, cols]; targets [rows], negative = no
/// target. max [rows] receives the largest logit M of each row, log_sums [rows] receives log Σ e^(logit − M). They are
/// kept apart because their sum would lose the digits of a small loss next to a large logit.
double CrossEntropySum(const Real* logits, const int* targets, Index rows, Index cols, Real* max, Real* log_sums);
/// dlogits = scale·(softmax(logits) − onehot(target)), and 0 for rows without a target; dlogits.to may be logits.
void CrossEntropyBackward(const Real* logits, const int* targets, const Real* max, const Real* log_sums, Index rows,
                          Index cols, Real scale, Sink dlogits);

// --- attention.cc: see ops_attention.cc for the formulas ------------------------------------------------------------

/// Sizes of an attention call: q [batch·length, heads·dim], k and v [batch·(offset + length), kv_heads·dim]. Rows of q
/// are `q_stride` numbers apart, rows of k and v `kv_stride`. The queries of a sequence are its last `length`
/// positions: query i attends to keys 0 to offset + i.
/// With `borders` [batch + 1], sequence s has rows borders[s] to borders[s + 1] of all three; then offset is 0, and
/// `length` says nothing.
struct AttentionSizes {
  Index batch, length, heads, kv_heads, dim;
  Index q_stride, kv_stride;
  Index offset = 0;
  const Index* borders = nullptr;

  Index keys() const { return offset + length; }  // of one sequence
};

/// o [batch·length, heads·dim] = softmax(q·kᵀ/√dim)·v for each head, over the keys that a query attends to;
/// log_sums [batch·length, heads] receives log Σ e^(q·k/√dim) over them, for the backward. The bits of a row depend
/// only on its position and on the keys and values that it attends to, not on the other queries of the call, unless a
/// product uses tiles (gemm.h).
void CausalAttention(const AttentionSizes& shape, const Real* q, const Real* k, const Real* v, Real* o, Real* log_sums);
/// dq, dk and dv, laid out like q, k and v; any of them may be null.
void CausalAttentionBackward(const AttentionSizes& shape, const Real* q, const Real* k, const Real* v, const Real* o,
                             const Real* log_sums, const Real* d_o, Sink dq, Sink dk, Sink dv);

// --- rotary.cc ------------------------------------------------------------------------------------------------------

/// y = R(±angles)·x for every head of x [rows, heads·dim]. Row n uses the angles in row n mod length of `cosines` and
/// `sines` [length, dim/2]. `sign` −1 rotates backwards, which is the transpose.
void Rotary(const Real* x, Index rows, Index length, Index heads, Index dim, const Real* cosines, const Real* sines,
            Real sign, Sink y);

// --- adamw.cc -------------------------------------------------------------------------------------------------------

/// Constants of one AdamW step, computed in double by the caller: 1 − 0.999f has a relative error of 1e-5.
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
