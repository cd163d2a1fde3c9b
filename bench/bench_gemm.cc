// Matrix products in the three layouts of a linear layer of N outputs, K inputs and M tokens, at the models' shapes.
#include <string>
#include <utility>

#include "bench/measure.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/random.h"
#include "tensor/stored_tensor.h"
#include "tests/support/stored.h"

namespace ampgrad::bench {
namespace {

using kernels::Operand;

// A linear layer: x [m, k], W [n, k], y [m, n].
struct Layer {
  Index m, n, k;
};

constexpr Layer kLayers[] = {{1024, 256, 256},  {1024, 768, 256},   {1024, 1024, 256},
                             {1024, 256, 1024}, {1024, 16384, 256},  // the photonic model, both vocabularies
                             {256, 2048, 2048}, {256, 5632, 2048},  {256, 2048, 5632},  // TinyLlama
                             {2048, 2048, 2048}};

constexpr StoredType kRightTypes[] = {kRealType,         StoredType::kBf16, StoredType::kQ8_0, StoredType::kQ4_0,
                                      StoredType::kQ4_1, StoredType::kQ5_0, StoredType::kQ5_1, StoredType::kQ4K,
                                      StoredType::kQ5K,  StoredType::kQ6K,  StoredType::kNf4};

// A matrix of random numbers, in blocks of random codes if the type has blocks.
StoredTensor RandomMatrix(Shape shape, StoredType type) {
  if (HasBlocks(type)) return RandomBlocks(type, shape, 2);
  const Tensor numbers = Random(1, 2).NormalTensor(shape, 1);
  return type == kRealType ? StoredTensor(numbers) : Rounded(numbers, type);
}

// C = A·B of random numbers. `layout` is "nt", "nn" or "tn": a letter t says that A [m, k] or B [k, n] is stored
// transposed. B is in `type`, like a frozen weight. The first, middle and last row are checked. A product of one row
// reads B at the speed of memory.
Case Product(Index m, Index n, Index k, const std::string& layout, StoredType type = kRealType) {
  const bool a_transposed = layout[0] == 't', b_transposed = layout[1] == 't';
  const Tensor a = Random(1, 1).NormalTensor(a_transposed ? Shape{k, m} : Shape{m, k}, 1);
  const StoredTensor b = RandomMatrix(b_transposed ? Shape{n, k} : Shape{k, n}, type);
  const Operand left{a.data(), a.cols(), a_transposed};
  Tensor c({m, n});
  const auto run = [=, held = a]() mutable {
    kernels::Gemm(m, n, k, left, kernels::OperandOf(b, b_transposed), {}, c.data(), n);
  };
  const auto matches = [=, held = a] {
    const Tensor wide = b.Widened();
    for (const Index row : {Index{0}, m / 2, m - 1}) {
      std::vector<double> twin(n);  // in double: a naive sum of tens of thousands of floats is worse than the kernel's
      for (Index i = 0; i < k; ++i) {
        const double a_i = *left.At(row, i).real();
        for (Index j = 0; j < n; ++j) twin[j] += a_i * (b_transposed ? wide.row(j)[i] : wide.row(i)[j]);
      }
      if (!Matches(c.Rows(row, row + 1), twin, 1e-5)) return false;
    }
    return true;
  };
  Cost cost{.flops = 2.0 * static_cast<double>(m * n * k)};
  if (m == 1) cost.bytes = static_cast<double>(b.bytes());
  return {cost, run, matches};
}

void RegisterProducts() {
  for (const auto& [m, n, k] : kLayers) {
    const std::string name = "gemm/" + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    RegisterCase(name + "/nt", [=] { return Product(m, n, k, "nt"); });  // y = x·Wᵀ
    RegisterCase(name + "/nn", [=] { return Product(m, k, n, "nn"); });  // dx = dy·W
    RegisterCase(name + "/tn", [=] { return Product(n, k, m, "tn"); });  // dW = dyᵀ·x
  }
  for (const StoredType type : kRightTypes) {
    const std::string name = std::string("gemm_") + ToString(type) + "/";
    for (const auto& [m, n, k] : {Layer{512, 256, 2048}, {512, 2048, 2048}, {512, 5632, 2048}, {512, 2048, 5632}}) {
      const std::string shape = name + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
      RegisterCase(shape + "/nt", [=] { return Product(m, n, k, "nt", type); });
      RegisterCase(shape + "/nn", [=] { return Product(m, k, n, "nn", type); });
    }
    // One token of generation.
    for (const auto& [n, k] : {std::pair<Index, Index>{1024, 256}, {5632, 2048}, {32000, 2048}}) {
      const std::string shape = name + "1x" + std::to_string(n) + "x" + std::to_string(k);
      RegisterCase(shape + "/nt", [=] { return Product(1, n, k, "nt", type); });
      RegisterCase(shape + "/nn", [=] { return Product(1, k, n, "nn", type); });
    }
  }
}

}  // namespace
}  // namespace ampgrad::bench

int main(int argc, char** argv) {
  ampgrad::bench::RegisterProducts();
  return ampgrad::bench::RunBenchmarks(argc, argv);
}
