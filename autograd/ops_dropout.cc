#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ops {

// Dropout   y = m ⊙ x / (1 − rate)
//   shapes    x, y, m equal; m_i is 1 if number i of `random` is at least the rate, else 0
//   forward   y_i = m_i x_i / (1 − rate)
//   backward  dx_i += m_i dy_i / (1 − rate)
//   saves     nothing: the numbers are drawn again
Var Dropout(const Var& x, double rate, const Random& random) {
  if (!(rate >= 0 && rate < 1)) Fail("dropout", "expected a rate in 0 to below 1, found " + std::to_string(rate));
  const auto masked = [rate, random](const Tensor& from, kernels::Sink to) {
    const Real kept = static_cast<Real>(1 / (1 - rate));
    ParallelChunks(from.size(), 1024, [&](Index i, Index end) {
      for (; i < end; ++i) {
        const Real part = random.Uniform(static_cast<uint64_t>(i)) >= rate ? kept * from[i] : Real(0);
        to.to[i] = (to.onto ? to.onto[i] : Real(0)) + part;
      }
    });
  };
  Tensor y = Tensor::Uninitialized(x.shape());
  masked(x.value, {y.data()});

  return x.tape->Record("dropout", y, {&x}, [masked](const Tensor& dy, InputGrads& d) { masked(dy, d.AddTo(0)); });
}

}  // namespace ampgrad::ops
