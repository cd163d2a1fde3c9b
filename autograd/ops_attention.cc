#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ops {
namespace {

// How many sequences `rows` rows are. Refuses a length that does not divide them, and borders that do not rise from 0
// to their number.
Index CountSequences(const char* op, Index rows, Index length, const Borders& borders) {
  if (!borders) {
    if (length > 0 && rows % length == 0) return rows / length;
    Fail(op, "expected length to divide the rows; found length " + std::to_string(length) + " of " +
                 std::to_string(rows) + " rows");
  }
  const bool rise = std::adjacent_find(borders->begin(), borders->end(), std::greater_equal<>()) == borders->end();
  if (borders->size() < 2 || borders->front() != 0 || borders->back() != rows || !rise) {
    Fail(op, "expected borders that rise from 0 to the " + std::to_string(rows) + " rows, found " +
                 std::to_string(borders->size()) + " that do not");
  }
  return static_cast<Index>(borders->size()) - 1;
}

}  // namespace

RotaryTable MakeRotaryTable(const Tensor& inverse_frequencies, Index length, Index offset) {
  const Index half = inverse_frequencies.size();
  if (length <= 0 || offset < 0 || half == 0) {
    Fail("rotary_table", "expected a length over 0, an offset not below 0 and f [D/2], found length " +
                             std::to_string(length) + ", offset " + std::to_string(offset) + ", f " +
                             inverse_frequencies.shape().ToString());
  }
  RotaryTable table{Tensor::Uninitialized({length, half}), Tensor::Uninitialized({length, half})};
  for (Index i = 0; i < length; ++i) {
    for (Index j = 0; j < half; ++j) {
      const Real angle = static_cast<Real>(offset + i) * inverse_frequencies[j];
      table.cosines.row(i)[j] = std::cos(angle);
      table.sines.row(i)[j] = std::sin(angle);
    }
  }
  return table;
}

// Rotary   y = R(position)·x, head by head
//   shapes    x, y [N, heads·D]   cosines, sines [length, D/2]   row n of x uses row n mod length of the table
//   forward   the pair (x_j, x_j+D/2) is rotated by the angle t·f_j of position t:
//             y_j = x_j cos − x_j+D/2 sin,   y_j+D/2 = x_j+D/2 cos + x_j sin
//   backward  dx += R(−position)·dy: a rotation's transpose is its inverse
//   saves     the table, which all layers share: 0 bytes of its own
Var Rotary(const Var& x, const RotaryTable& table) {
  const Index rows = x.shape().rows(), length = table.cosines.rows(), half = table.cosines.cols();
  CheckShapes(x.shape().rank() == 2 && half > 0 && x.shape().cols() % (2 * half) == 0 && rows % length == 0, "rotary",
              "x [N, heads·D], cosines [length, D/2], length a divisor of N",
              {{"x", x.shape()}, {"cosines", table.cosines.shape()}});
  const Index dim = 2 * half, heads = x.shape().cols() / dim;

  Tensor y = Tensor::Uninitialized(x.shape());
  kernels::Rotary(x.value.data(), rows, length, heads, dim, table.cosines.data(), table.sines.data(), 1, {y.data()});

  return x.tape->Record("rotary", y, {&x}, [table, rows, length, heads, dim](const Tensor& dy, InputGrads& d) {
    kernels::Rotary(dy.data(), rows, length, heads, dim, table.cosines.data(), table.sines.data(), -1, d.AddTo(0));
  });
}

// CausalAttention   o = softmax(mask(q·kᵀ/√D))·v, for each sequence and head
//   shapes    q, o [B·length, H·D]   k, v [B·(offset + length), G·D]   query head h reads key/value head h / (H/G)
//             or, with B + 1 borders and offset 0, sequences side by side: q, o [N, H·D]   k, v [N, G·D]
//   forward   S_ij = q_i·k_j/√D for j <= offset + i,   L_i = log Σ_j e^S_ij,   P_ij = e^(S_ij − L_i),
//             o_i = Σ_j P_ij v_j
//   backward  dv_j += Σ_i P_ij do_i,   dP_ij = do_i·v_j,   dS_ij = P_ij (dP_ij − o_i·do_i),
//             dq_i += Σ_j dS_ij k_j/√D,   dk_j += Σ_i dS_ij q_i/√D;   dk and dv sum over the query heads of their group
//   saves     q, k, v, o, L (B·length·H numbers); P, as large as S, is computed again, a block of rows at a time
Var CausalAttention(const Var& q, const Var& k, const Var& v, Index length, Index heads, Index kv_heads, Index offset,
                    const Borders& borders) {
  const Index rows = q.shape().rows(), batch = CountSequences("causal_attention", rows, length, borders);
  if (kv_heads <= 0 || heads <= 0 || heads % kv_heads != 0 || offset < 0 || (borders && offset != 0)) {
    Fail("causal_attention", "expected kv_heads to divide the heads, and offset not to be negative, nor over 0 with " +
                                 std::string("borders; found kv_heads ") + std::to_string(kv_heads) + " of " +
                                 std::to_string(heads) + " heads, offset " + std::to_string(offset));
  }
  const Index dim = q.shape().cols() / heads;
  CheckShapes(q.shape() == Shape{rows, heads * dim} && k.shape() == Shape{rows + batch * offset, kv_heads * dim} &&
                  v.shape() == k.shape(),
              "causal_attention", "q [B·length, H·D], k and v [B·(offset + length), G·D]",
              {{"q", q.shape()}, {"k", k.shape()}, {"v", v.shape()}});
  const kernels::AttentionSizes sizes{
      batch, length, heads, kv_heads, dim, heads * dim, kv_heads * dim, offset, borders ? borders->data() : nullptr};

  Tensor o = Tensor::Uninitialized(q.shape()), log_sums = Tensor::Uninitialized({rows, heads});
  kernels::CausalAttention(sizes, q.value.data(), k.value.data(), v.value.data(), o.data(), log_sums.data());

  const auto backward = [sizes, borders, q = q.value, k = k.value, v = v.value, o, log_sums](const Tensor& d_o,
                                                                                             InputGrads& d) {
    kernels::CausalAttentionBackward(sizes, q.data(), k.data(), v.data(), o.data(), log_sums.data(), d_o.data(),
                                     d.AddTo(0), d.AddTo(1), d.AddTo(2));
  };
  return q.tape->Record("causal_attention", o, {&q, &k, &v}, backward);
}

// CausalSelfAttention   CausalAttention with q, k and v side by side in one matrix
//   shapes    qkv [N, 3C]: q, k, v [N, C] each   o [N, C]   N = B·length, or all rows of B + 1 borders   C = H·D
//   forward   o = softmax(mask(q·kᵀ/√D))·v, for each sequence and head
//   backward  dqkv += dq, dk, dv side by side
//   saves     qkv, o, L (N·H numbers)
Var CausalSelfAttention(const Var& qkv, Index length, Index heads, const Borders& borders) {
  const Index rows = qkv.shape().rows(), channels = qkv.shape().cols() / 3;
  const Index batch = CountSequences("causal_self_attention", rows, length, borders);
  if (heads <= 0 || channels % heads != 0 || qkv.shape() != Shape{rows, 3 * channels}) {
    Fail("causal_self_attention",
         "expected qkv [N, 3·heads·D], found qkv " + qkv.shape().ToString() + ", heads " + std::to_string(heads));
  }
  const Index stride = 3 * channels;
  const kernels::AttentionSizes sizes{
      batch, length, heads, heads, channels / heads, stride, stride, 0, borders ? borders->data() : nullptr};

  Tensor o = Tensor::Uninitialized({rows, channels}), log_sums = Tensor::Uninitialized({rows, heads});
  const Real* q = qkv.value.data();
  kernels::CausalAttention(sizes, q, q + channels, q + 2 * channels, o.data(), log_sums.data());

  const auto backward = [sizes, borders, qkv = qkv.value, o, log_sums, channels](const Tensor& d_o, InputGrads& d) {
    const Real* q = qkv.data();
    const kernels::Sink dq = d.AddTo(0);
    kernels::CausalAttentionBackward(sizes, q, q + channels, q + 2 * channels, o.data(), log_sums.data(), d_o.data(),
                                     dq, dq.At(channels), dq.At(2 * channels));
  };
  return qkv.tape->Record("causal_self_attention", o, {&qkv}, backward);
}

}  // namespace ampgrad::ops
