#include <algorithm>
#include <cmath>

#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/tensor.h"
#include "tensor/thread_pool.h"

// Attention works through blocks of queries against all keys up to the block's end, so that of the T x T products only
// kQueryBlock x T exist at a time, for each thread. The backward pass rebuilds each block's probabilities from the saved
// log-sums (Dao et al., "FlashAttention", arXiv:2205.14135). A task is one key/value head of one sequence: all query heads
// that read it belong to the task, so dk and dv have one writer and a fixed order of sums.
namespace ampgrad::kernels {
namespace {

constexpr Index kQueryBlock = 64;

// Where the rows of one head of one sequence lie in a tensor [batch·length, heads·dim].
struct Head {
  Index offset, stride;
};

Head Locate(const AttentionShape& s, Index sequence, Index head, Index heads) {
  return {(sequence * s.length * heads + head) * s.dim, heads * s.dim};
}

Real ScoreScale(const AttentionShape& s) { return 1 / std::sqrt(static_cast<Real>(s.dim)); }

// Calls body(sequence, query head, key/value head) for every query head, one task per key/value head.
template <class Body>
void ForEachHead(const AttentionShape& s, Body body) {
  const Index group = s.heads / s.kv_heads;
  ParallelFor(s.batch * s.kv_heads, [&](Index task) {
    for (Index i = 0; i < group; ++i) {
      const Index kv_head = task % s.kv_heads;
      body(task / s.kv_heads, kv_head * group + i, kv_head);
    }
  });
}

}  // namespace

void CausalAttention(const AttentionShape& s, const Real* q, const Real* k, const Real* v, Real* o, Real* log_sums) {
  ForEachHead(s, [=](Index sequence, Index head, Index kv_head) {
    const Head qh = Locate(s, sequence, head, s.heads), kh = Locate(s, sequence, kv_head, s.kv_heads);
    Tensor scores = Tensor::Uninitialized({std::min(kQueryBlock, s.length), s.length});
    for (Index first = 0; first < s.length; first += kQueryBlock) {
      const Index rows = std::min(kQueryBlock, s.length - first), keys = first + rows;
      const Index q0 = qh.offset + first * qh.stride;
      Real* p = scores.data();  // [rows, keys]
      Gemm(rows, keys, s.dim, {q + q0, qh.stride}, {k + kh.offset, kh.stride, true}, {}, p, keys);
      CausalSoftmax(rows, keys, first, ScoreScale(s), p, log_sums + (sequence * s.length + first) * s.heads + head,
                    s.heads);
      Gemm(rows, s.dim, keys, {p, keys}, {v + kh.offset, kh.stride}, {}, o + q0, qh.stride);
    }
  });
}

void AddCausalAttentionBackward(const AttentionShape& s, const Real* q, const Real* k, const Real* v, const Real* o,
                                const Real* log_sums, const Real* d_o, Real* dq, Real* dk, Real* dv) {
  ForEachHead(s, [=](Index sequence, Index head, Index kv_head) {
    const Head qh = Locate(s, sequence, head, s.heads), kh = Locate(s, sequence, kv_head, s.kv_heads);
    const Operand keys_of_head{k + kh.offset, kh.stride};
    Tensor p_block = Tensor::Uninitialized({std::min(kQueryBlock, s.length), s.length});
    Tensor ds_block = Tensor::Uninitialized(p_block.shape());
    Tensor o_dot_do = Tensor::Uninitialized({kQueryBlock});
    for (Index first = 0; first < s.length; first += kQueryBlock) {
      const Index rows = std::min(kQueryBlock, s.length - first), keys = first + rows;
      const Index q0 = qh.offset + first * qh.stride;
      Real *p = p_block.data(), *ds = ds_block.data();  // [rows, keys]
      Gemm(rows, keys, s.dim, {q + q0, qh.stride}, {k + kh.offset, kh.stride, true}, {}, p, keys);
      CausalProbabilities(rows, keys, first, ScoreScale(s), p,
                          log_sums + (sequence * s.length + first) * s.heads + head, s.heads);
      if (dv) {  // dV += Pᵀ·dO
        Real* dv_head = dv + kh.offset;
        Gemm(keys, s.dim, rows, {p, keys, true}, {d_o + q0, qh.stride}, {dv_head, kh.stride}, dv_head, kh.stride);
      }
      if (!dq && !dk) continue;
      // dP = dO·Vᵀ; Σ_j P_ij dP_ij = Σ_c O_ic dO_ic, which needs no pass over keys.
      Gemm(rows, keys, s.dim, {d_o + q0, qh.stride}, {v + kh.offset, kh.stride, true}, {}, ds, keys);
      for (Index i = 0; i < rows; ++i) {
        Real sum = 0;
        for (Index c = 0; c < s.dim; ++c) sum += o[q0 + i * qh.stride + c] * d_o[q0 + i * qh.stride + c];
        o_dot_do[i] = sum;
      }
      SoftmaxBackward(rows, keys, ScoreScale(s), p, ds, o_dot_do.data(), 1);
      if (dq) Gemm(rows, s.dim, keys, {ds, keys}, keys_of_head, {dq + q0, qh.stride}, dq + q0, qh.stride);
      if (dk) {
        Real* dk_head = dk + kh.offset;
        Gemm(keys, s.dim, rows, {ds, keys, true}, {q + q0, qh.stride}, {dk_head, kh.stride}, dk_head, kh.stride);
      }
    }
  });
}

}  // namespace ampgrad::kernels
