#include <memory>
#include <string>

#include "autograd/check.h"
#include "autograd/ops.h"

namespace ampgrad::ops {

// AddAt   W = C with v added at some positions
//   shapes    C [n, d], a constant   positions [m], each once, in 0..n·d−1   v [m]   W [n, d]
//   forward   W_p = C_p + v_i for p = positions_i, and W_p = C_p elsewhere
//   backward  dv_i += dW_p: the rest of dW is not used
//   saves     positions, shared by all passes
Var AddAt(const Tensor& c, const std::shared_ptr<const std::vector<Index>>& positions, const Var& v) {
  const Index count = static_cast<Index>(positions->size());
  CheckShapes(v.shape() == Shape{count}, "add_at", "as many values as positions",
              {{"values", v.shape()}, {"positions", Shape{count}}});
  for (const Index p : *positions) {
    if (p < 0 || p >= c.size()) {
      Fail("add_at", "expected positions in 0.." + std::to_string(c.size() - 1) + ", found " + std::to_string(p));
    }
  }

  Tensor w = c.Clone();
  for (Index i = 0; i < count; ++i) w[(*positions)[i]] += v.value[i];

  return v.tape->Record("add_at", w, {&v}, [positions](const Tensor& dw, InputGrads& d) {
    const kernels::Sink dv = d.AddTo(0);
    for (size_t i = 0; i < positions->size(); ++i) {
      dv.to[i] = (dv.onto ? dv.onto[i] : Real(0)) + dw[(*positions)[i]];
    }
  });
}

}  // namespace ampgrad::ops
