#include <algorithm>
#include <cmath>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/simd/subnormals.h"
#include "tensor/tensor.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/attention.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

// Attention processes blocks of queries against all keys up to the block's end, so each thread holds only kQueryBlock x
// T of the T x T products at a time. The backward pass recomputes each block's probabilities from the saved log-sums
// (Dao et al., "FlashAttention", arXiv:2205.14135). A task is one key/value head of one sequence with all query heads
// that read it, so dk and dv have one writer and a fixed order of sums.
//
// Row i of a block whose first query has position `first` attends to keys 0 to first + i; the rest of its row is
// exactly 0. Adding zeros changes no sum, so a row has the same bits in every block, unless products use tiles.

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// Replaces s [rows, keys], the products q·k, with e^(scale·s − max of the row). inverse_sums [rows] receives 1 / (sum
// of the row), and log_sums[i·stride] receives log Σ e^(scale·s) of row i.
void ExponentiateRows(Index rows, Index keys, Index first, Real scale, Real* s, Real* inverse_sums, Real* log_sums,
                      Index stride) {
  const D d;
  const Index lanes = LanesOf(d);
  for (Index i = 0; i < rows; ++i, s += keys) {
    const Index n = first + i + 1;
    const Real max = scale * Max(s, n);
    const V f = hn::Set(d, scale), m = hn::Set(d, max);
    V sums = hn::Zero(d);
    Index j = 0;
    for (; j + lanes <= n; j += lanes) {
      const V e = Exp(d, hn::MulSub(f, hn::LoadU(d, s + j), m));
      sums = hn::Add(sums, e);
      hn::StoreU(e, d, s + j);
    }
    if (j < n) {
      const V e = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n - j)),
                                     Exp(d, hn::MulSub(f, LoadTail(d, s + j, n - j), m)));
      sums = hn::Add(sums, e);
      StoreTail(e, d, s + j, n - j);
    }
    std::fill(s + n, s + keys, Real(0));
    const Real sum = hn::GetLane(hn::SumOfLanes(d, sums));
    inverse_sums[i] = 1 / sum;
    log_sums[i * stride] = max + std::log(sum);
  }
}

// Multiplies row i of x [rows, cols] by factors[i].
void ScaleRows(Index rows, Index cols, const Real* factors, Real* x, Index stride) {
  for (Index i = 0; i < rows; ++i, x += stride) {
    const V f = hn::Set(D(), factors[i]);
    Map(x, x, cols, [f](V a) HWY_ATTR { return hn::Mul(f, a); });
  }
}

// Replaces p [rows, keys], the products q·k, with P = e^(scale·p − L), and dp [rows, keys], the products do·v, with
// scale·dS = scale·P ⊙ (dP − o·do).   o and d_o [rows, dim], rows `stride` apart; L at log_sums[i·log_stride].
void ProbabilitiesAndGradient(Index rows, Index keys, Index first, Real scale, Real* p, Real* dp, const Real* o,
                              const Real* d_o, Index dim, Index stride, const Real* log_sums, Index log_stride) {
  const D d;
  for (Index i = 0; i < rows; ++i, p += keys, dp += keys) {
    const Index n = first + i + 1;
    const V f = hn::Set(d, scale), l = hn::Set(d, log_sums[i * log_stride]);
    // Σ_j P_ij dP_ij = Σ_c o_ic do_ic, which needs no pass over keys.
    const V p_dp = hn::Set(d, Dot(o + i * stride, d_o + i * stride, dim));
    Map(p, p, n, [=](V s) HWY_ATTR { return Exp(d, hn::MulSub(f, s, l)); });
    Map(p, dp, dp, n, [=](V e, V g) HWY_ATTR { return hn::Mul(hn::Mul(f, e), hn::Sub(g, p_dp)); });
    std::fill(p + n, p + keys, Real(0));
    std::fill(dp + n, dp + keys, Real(0));
  }
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(ExponentiateRows);
HWY_EXPORT(ScaleRows);
HWY_EXPORT(ProbabilitiesAndGradient);

// P and dS of a block with 512 keys take 256 KiB, an eighth of an L2 cache of 2 MiB.
constexpr Index kQueryBlock = 64;
// Multiply-adds of q·kᵀ below which more threads cost more than they save, as for one query of a small model.
constexpr Index kWorthThreads = 1 << 18;

// Offsets of the first numbers of one query head of one sequence, and of the key/value head that it reads.
struct Head {
  Index q, kv;       // in q, and in k and v
  Index o, log_sum;  // in o, and in log_sums
};

Head Locate(const AttentionSizes& s, Index sequence, Index head) {
  const Index kv_head = head / (s.heads / s.kv_heads);
  const Index row = s.borders ? s.borders[sequence] : sequence * s.length;
  const Index kv_row = s.borders ? row : sequence * s.keys();
  return {row * s.q_stride + head * s.dim, kv_row * s.kv_stride + kv_head * s.dim, (row * s.heads + head) * s.dim,
          row * s.heads + head};
}

// The sizes of one sequence; those of a batch whose sequences differ in length hold for none of them.
AttentionSizes SizesOf(AttentionSizes s, Index sequence) {
  if (s.borders) s.length = s.borders[sequence + 1] - s.borders[sequence];
  return s;
}

// Pairs of a query and a key that the products of one head visit, masked ones included.
Index CountPairs(const AttentionSizes& s) {
  Index pairs = 0;
  for (Index sequence = 0; sequence < s.batch; ++sequence) {
    const AttentionSizes one = SizesOf(s, sequence);
    pairs += one.length * one.keys();
  }
  return pairs;
}

Real ScoreScale(const AttentionSizes& s) { return 1 / std::sqrt(static_cast<Real>(s.dim)); }

// The transpose [dim, keys] of a key/value head.
Tensor TransposedHead(const AttentionSizes& s, const Real* head) {
  Tensor transposed = Tensor::Uninitialized({s.dim, s.keys()});
  Transpose(head, s.keys(), s.dim, s.kv_stride, transposed.data());
  return transposed;
}

// One head of the forward pass, with kᵀ [dim, keys].
void AttendHead(const AttentionSizes& s, const Real* q, const Tensor& k_t, const Real* v, Real* o, Real* log_sums) {
  Tensor scores = Tensor::Uninitialized({std::min(kQueryBlock, s.length), s.keys()});
  Real inverse_sums[kQueryBlock];
  const Index o_stride = s.heads * s.dim;
  for (Index first = 0; first < s.length; first += kQueryBlock) {
    const Index rows = std::min(kQueryBlock, s.length - first), position = s.offset + first, keys = position + rows;
    Real *p = scores.data(), *o_block = o + first * o_stride;  // p [rows, keys]
    Gemm(rows, keys, s.dim, {q + first * s.q_stride, s.q_stride}, {k_t.data(), s.keys()}, {}, p, keys);
    HWY_DYNAMIC_DISPATCH(ExponentiateRows)
    (rows, keys, position, ScoreScale(s), p, inverse_sums, log_sums + first * s.heads, s.heads);
    Gemm(rows, s.dim, keys, {p, keys}, {v, s.kv_stride}, {}, o_block, o_stride);
    HWY_DYNAMIC_DISPATCH(ScaleRows)(rows, s.dim, inverse_sums, o_block, o_stride);
  }
}

// What the backward pass of one head reads.
struct HeadInputs {
  const Real *q, *k, *o, *log_sums, *d_o;
  const Tensor &k_t, &v_t;  // [dim, keys]
};

// One head of the backward pass, from the last block of queries to the first. The last block reaches all keys, so it
// sets dk and dv; the blocks and heads that follow add to them.
void AttendHeadBackward(const AttentionSizes& s, const HeadInputs& in, const Sink& dq, Sink& dk, Sink& dv) {
  Tensor p_block = Tensor::Uninitialized({std::min(kQueryBlock, s.length), s.keys()});
  Tensor ds_block = Tensor::Uninitialized(p_block.shape());
  const Index o_stride = s.heads * s.dim;
  for (Index first = (s.length - 1) / kQueryBlock * kQueryBlock; first >= 0; first -= kQueryBlock) {
    const Index rows = std::min(kQueryBlock, s.length - first), position = s.offset + first, keys = position + rows;
    Real *p = p_block.data(), *ds = ds_block.data();  // [rows, keys]
    const Operand q{in.q + first * s.q_stride, s.q_stride}, d_o{in.d_o + first * o_stride, o_stride};
    Gemm(rows, keys, s.dim, q, {in.k_t.data(), s.keys()}, {}, p, keys);
    Gemm(rows, keys, s.dim, d_o, {in.v_t.data(), s.keys()}, {}, ds, keys);
    HWY_DYNAMIC_DISPATCH(ProbabilitiesAndGradient)
    (rows, keys, position, ScoreScale(s), p, ds, in.o + first * o_stride, d_o.real(), s.dim, o_stride,
     in.log_sums + first * s.heads, s.heads);
    if (dv) Gemm(keys, s.dim, rows, {p, keys, true}, d_o, {dv.onto, s.kv_stride}, dv.to, s.kv_stride);
    if (dk) Gemm(keys, s.dim, rows, {ds, keys, true}, q, {dk.onto, s.kv_stride}, dk.to, s.kv_stride);
    dk.onto = dk.to, dv.onto = dv.to;
    if (dq) {
      const Sink block = dq.At(first * s.q_stride);
      Gemm(rows, s.dim, keys, {ds, keys}, {in.k, s.kv_stride}, {block.onto, s.q_stride}, block.to, s.q_stride);
    }
  }
}

}  // namespace

void CausalAttention(const AttentionSizes& s, const Real* q, const Real* k, const Real* v, Real* o, Real* log_sums) {
  const Index group = s.heads / s.kv_heads;
  const auto attend = [=](Index task) {
    const FlushSubnormals small_probabilities;
    const Index sequence = task / s.kv_heads, first_head = task % s.kv_heads * group;
    const AttentionSizes one = SizesOf(s, sequence);
    const Tensor k_t = TransposedHead(one, k + Locate(s, sequence, first_head).kv);
    for (Index head = first_head; head < first_head + group; ++head) {
      const Head at = Locate(s, sequence, head);
      AttendHead(one, q + at.q, k_t, v + at.kv, o + at.o, log_sums + at.log_sum);
    }
  };
  const Index tasks = s.batch * s.kv_heads;
  if (CountPairs(s) * s.heads * s.dim >= kWorthThreads) return ParallelFor(tasks, attend);
  for (Index task = 0; task < tasks; ++task) attend(task);
}

void CausalAttentionBackward(const AttentionSizes& s, const Real* q, const Real* k, const Real* v, const Real* o,
                             const Real* log_sums, const Real* d_o, Sink dq, Sink dk, Sink dv) {
  const Index group = s.heads / s.kv_heads;
  ParallelFor(s.batch * s.kv_heads, [=](Index task) {
    const FlushSubnormals small_probabilities;
    const Index sequence = task / s.kv_heads, first_head = task % s.kv_heads * group;
    const Index kv = Locate(s, sequence, first_head).kv;
    const AttentionSizes one = SizesOf(s, sequence);
    const Tensor k_t = TransposedHead(one, k + kv), v_t = TransposedHead(one, v + kv);
    Sink dk_head = dk ? dk.At(kv) : dk, dv_head = dv ? dv.At(kv) : dv;
    for (Index head = first_head; head < first_head + group; ++head) {
      const Head at = Locate(s, sequence, head);
      const HeadInputs in{q + at.q, k + at.kv, o + at.o, log_sums + at.log_sum, d_o + at.o, k_t, v_t};
      AttendHeadBackward(one, in, dq ? dq.At(at.q) : dq, dk_head, dv_head);
    }
  });
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
