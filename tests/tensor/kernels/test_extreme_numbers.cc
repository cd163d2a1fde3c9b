#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"
#include "tests/support/small_models.h"

/// Numbers at the ends of the range.
namespace ampgrad::kernels {
namespace {

// An infinite sum of squares would make every row the same, and nobody would notice.
TEST(Norms, AreNotANumberWhenTheirSquaresOverflow) {
  constexpr Index kCols = 19;
  const Real large = std::sqrt(std::numeric_limits<Real>::max());
  Tensor x({2, kCols}), gain({kCols}), y({2, kCols}), mean({2}), rstd({2});
  gain.Fill(1);
  for (Index j = 0; j < kCols; ++j) x[j] = (j % 2 ? large : -large), x[kCols + j] = static_cast<Real>(j);
  RmsNorm(x.data(), gain.data(), 2, kCols, Real(1e-5), y.data(), rstd.data());
  for (Index j = 0; j < kCols; ++j) EXPECT_TRUE(std::isnan(y[j]) && std::isfinite(y[kCols + j])) << j;
  LayerNorm(x.data(), gain.data(), gain.data(), 2, kCols, Real(1e-5), y.data(), mean.data(), rstd.data());
  for (Index j = 0; j < kCols; ++j) EXPECT_TRUE(std::isnan(y[j]) && std::isfinite(y[kCols + j])) << j;
}

// Some threads must not flush to zero what others keep. One head is no work for several threads, but its products are.
TEST(CausalAttention, SubnormalNumbersAreTheSameOnAllThreads) {
  const AttentionSizes s{
      .batch = 1, .length = 300, .heads = 1, .kv_heads = 1, .dim = 64, .q_stride = 64, .kv_stride = 64};
  const Index size = s.length * s.dim;
  Tensor q({size}), k({size}), v({size}), d_o({size});
  for (Index i = 0; i < size; ++i) {
    q[i] = static_cast<Real>(std::sin(i)), k[i] = static_cast<Real>(std::cos(3 * i));
    v[i] = std::numeric_limits<Real>::min() * static_cast<Real>(std::sin(5 * i)), d_o[i] = v[i] * 3;
  }
  std::vector<Tensor> first;
  for (const int threads : {1, 2, 3, 8}) {
    SetNumThreads(threads);
    Tensor o({size}), log_sums({s.length}), dq({size}), dk({size}), dv({size});
    CausalAttention(s, q.data(), k.data(), v.data(), o.data(), log_sums.data());
    CausalAttentionBackward(s, q.data(), k.data(), v.data(), o.data(), log_sums.data(), d_o.data(), {dq.data()},
                            {dk.data()}, {dv.data()});
    const std::vector<Tensor> now = {o, dq, dk, dv};
    if (first.empty()) first = now;
    for (size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(SameBits(now[i], first[i])) << threads << " threads, " << i;
  }
  SetNumThreads(0);
}

}  // namespace
}  // namespace ampgrad::kernels
