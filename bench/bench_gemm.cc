// Matrix products in the three layouts of a linear layer of N outputs, K inputs and M tokens, at the models' shapes.
#include <algorithm>
#include <iterator>
#include <memory>
#include <tuple>
#include <vector>

#include "bench/measure.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/random.h"
#include "tensor/stored_tensor.h"

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

// C = A·B of random numbers. `layout` is "nt", "nn" or "tn": a letter t says that A [m, k] or B [k, n] is stored
// transposed. `half`: B is in bfloat16, like a frozen weight. The first, middle and last row are checked.
Case Product(Index m, Index n, Index k, const std::string& layout, bool half = false) {
  const bool a_transposed = layout[0] == 't', b_transposed = layout[1] == 't';
  const Tensor a = Random(1, 1).NormalTensor(a_transposed ? Shape{k, m} : Shape{m, k}, 1);
  const Tensor b = Random(1, 2).NormalTensor(b_transposed ? Shape{n, k} : Shape{k, n}, 1);
  const auto narrow = std::make_shared<std::vector<Bf16>>();
  if (half) std::transform(b.begin(), b.end(), std::back_inserter(*narrow), ToBf16);
  const Operand left{a.data(), a.cols(), a_transposed};
  const Operand right = half ? Operand{narrow->data(), b.cols(), b_transposed, StoredType::kBf16}
                             : Operand{b.data(), b.cols(), b_transposed};
  Tensor c({m, n});
  const auto run = [=, held = std::tuple(a, b, narrow)]() mutable {
    kernels::Gemm(m, n, k, left, right, {}, c.data(), n);
  };
  const auto matches = [=, held = std::tuple(a, b, narrow)] {
    Tensor twin({1, n});
    for (const Index row : {Index{0}, m / 2, m - 1}) {
      kernels::NaiveGemm(1, n, k, left.At(row, 0), right, {}, twin.data(), n);
      if (!Matches(c.Rows(row, row + 1), {twin.begin(), twin.end()}, 1e-5)) return false;  // the twin sums in Real too
    }
    return true;
  };
  return {{.flops = 2.0 * static_cast<double>(m * n * k)}, run, matches};
}

void RegisterProducts() {
  for (const auto& [m, n, k] : kLayers) {
    const std::string name = "gemm/" + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    RegisterCase(name + "/nt", [=] { return Product(m, n, k, "nt"); });  // y = x·Wᵀ
    RegisterCase(name + "/nn", [=] { return Product(m, k, n, "nn"); });  // dx = dy·W
    RegisterCase(name + "/tn", [=] { return Product(n, k, m, "tn"); });  // dW = dyᵀ·x
  }
  for (const auto& [m, n, k] : {Layer{512, 2048, 2048}, {512, 5632, 2048}}) {
    const std::string name = "gemm_bf16/" + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    RegisterCase(name + "/nt", [=] { return Product(m, n, k, "nt", true); });
    RegisterCase(name + "/nn", [=] { return Product(m, k, n, "nn", true); });
  }
  // One token of generation.
  for (const auto& [n, k] : {std::pair<Index, Index>{1024, 256}, {5632, 2048}}) {
    const std::string name = "gemm/1x" + std::to_string(n) + "x" + std::to_string(k);
    RegisterCase(name + "/nt", [=] { return Product(1, n, k, "nt"); });
    RegisterCase(name + "/nn", [=] { return Product(1, n, k, "nn"); });
    const std::string bf16 = "gemm_bf16/1x" + std::to_string(n) + "x" + std::to_string(k);
    RegisterCase(bf16 + "/nt", [=] { return Product(1, n, k, "nt", true); });
    RegisterCase(bf16 + "/nn", [=] { return Product(1, n, k, "nn", true); });
  }
}

}  // namespace
}  // namespace ampgrad::bench

int main(int argc, char** argv) {
  ampgrad::bench::RegisterProducts();
  return ampgrad::bench::RunBenchmarks(argc, argv);
}
