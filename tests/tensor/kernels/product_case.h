#pragma once

#include <algorithm>
#include <string>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/random.h"
#include "tests/support/simd_sweep.h"

namespace ampgrad {

/// A product C [m, n] = A·B or C + A·B of random numbers, A [m, k] and B [k, n] each stored as it is or transposed.
struct ProductCase {
  ProductCase(Index m, Index n, Index k, bool a_transposed, bool b_transposed, bool with_init)
      : m(m),
        n(n),
        k(k),
        a_transposed(a_transposed),
        b_transposed(b_transposed),
        with_init(with_init),
        a(Random(1, 1).NormalTensor(a_transposed ? Shape{k, m} : Shape{m, k}, 1)),
        b(Random(1, 2).NormalTensor(b_transposed ? Shape{n, k} : Shape{k, n}, 1)),
        start(Random(1, 3).NormalTensor({m, n}, 1)) {}

  std::string Name() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + (a_transposed ? " Aᵀ" : " A") +
           (b_transposed ? " Bᵀ" : " B") + (with_init ? " + C" : "");
  }

  /// The result of Gemm between guards. With an initial C, the output is C itself.
  GuardedBuffer Run() const {
    GuardedBuffer c(m * n, 77);
    if (with_init) std::copy(start.begin(), start.end(), c.data());
    kernels::Gemm(m, n, k, {a.data(), a.cols(), a_transposed}, {b.data(), b.cols(), b_transposed},
                  with_init ? kernels::Init{c.data(), n} : kernels::Init{}, c.data(), n);
    return c;
  }

  const Index m, n, k;
  const bool a_transposed, b_transposed, with_init;
  const Tensor a, b, start;
};

}  // namespace ampgrad
