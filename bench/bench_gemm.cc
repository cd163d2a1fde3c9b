// Matrix products in the three layouts of a linear layer, at the shapes of the models, beside the naive twin's result.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>

#include "tensor/gemm.h"
#include "tensor/random.h"
#include "tensor/simd_target.h"
#include "tensor/thread_pool.h"

namespace ampgrad::kernels {
namespace {

struct Product {
  const char* name;
  Index m, n, k;
};

constexpr Product kProducts[] = {
    {"attn.c_proj", 1024, 256, 256}, {"attn.c_attn", 1024, 768, 256}, {"mlp.c_fc", 1024, 1024, 256},
    {"mlp.c_proj", 1024, 256, 1024}, {"square", 2048, 2048, 2048},
};

Operand Read(const Tensor& t, bool transposed) { return {t.data(), t.cols(), transposed}; }

// y = x·Wᵀ, dx = dy·W or dW = dyᵀ·x, by which operand is read transposed.
void RunProduct(benchmark::State& state, const Product& p, bool a_transposed, bool b_transposed) {
  SetNumThreads(static_cast<int>(state.range(0)));
  const Tensor a = Random(1, 1).NormalTensor(a_transposed ? Shape{p.k, p.m} : Shape{p.m, p.k}, 1);
  const Tensor b = Random(1, 2).NormalTensor(b_transposed ? Shape{p.n, p.k} : Shape{p.k, p.n}, 1);
  Tensor c({p.m, p.n}), first_row({1, p.n});
  Gemm(p.m, p.n, p.k, Read(a, a_transposed), Read(b, b_transposed), {}, c.data(), p.n);
  NaiveGemm(1, p.n, p.k, Read(a, a_transposed), Read(b, b_transposed), {}, first_row.data(), p.n);
  for (Index j = 0; j < p.n; ++j) {
    if (!(std::abs(c[j] - first_row[j]) <= Real(1e-5) * static_cast<Real>(p.k))) {
      state.SkipWithError("the product does not match its naive twin");
      return;
    }
  }
  for (auto _ : state) {
    Gemm(p.m, p.n, p.k, Read(a, a_transposed), Read(b, b_transposed), {}, c.data(), p.n);
    benchmark::DoNotOptimize(c.data());
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(p.m * p.n * p.k), benchmark::Counter::kIsIterationInvariantRate);
}

void RegisterProducts() {
  for (const Product& p : kProducts) {
    const std::string sizes =
        std::string(p.name) + "/" + std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k);
    for (const auto& [layout, a_transposed, b_transposed] :
         {std::tuple{"nt", false, true}, std::tuple{"nn", false, false}, std::tuple{"tn", true, false}}) {
      benchmark::RegisterBenchmark((sizes + "/" + layout + "/threads").c_str(), RunProduct, p, a_transposed,
                                   b_transposed)
          ->Arg(1)
          ->Arg(2)
          ->UseRealTime();
    }
  }
}

}  // namespace
}  // namespace ampgrad::kernels

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("simd_target", ampgrad::SimdTarget());
  ampgrad::kernels::RegisterProducts();
  benchmark::RunSpecifiedBenchmarks();
}
