// The universal basis of planted rows: a part of rank K with a falling spectrum, and noise. If AMPGRAD_ROWS_DIR is set,
// the rows are also written there, as float32, so that another program can use the same numbers.
#include <cstdlib>
#include <fstream>

#include "bench/measure.h"
#include "ct/basis.h"
#include "nn/forms/dense.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/random.h"

namespace ampgrad::bench {
namespace {

// rows = X·diag(2 … ½)·Y/√d + ½·Z with X [n, K], Y [K, d] and Z [n, d] normal.
Tensor PlantedRows(Index n, Index d, Index k) {
  Tensor x = Random(1, 1).NormalTensor({n, k}, 1);
  const Tensor y = Random(1, 2).NormalTensor({k, d}, 1 / std::sqrt(static_cast<double>(d)));
  Tensor rows = Random(1, 3).NormalTensor({n, d}, 0.5);
  for (Index i = 0; i < x.size(); ++i) x[i] *= 2 - Real(1.5) * static_cast<Real>(i % k) / static_cast<Real>(k - 1);
  kernels::ProductNN(x, y, {rows.data(), rows.data()});
  return rows;
}

void WriteRows(const Tensor& rows, const std::string& name) {
  const char* directory = std::getenv("AMPGRAD_ROWS_DIR");
  if (directory == nullptr) return;
  std::ofstream file(std::string(directory) + "/" + name + ".f32", std::ios::binary);
  file.write(reinterpret_cast<const char*>(rows.data()), static_cast<std::streamsize>(Bytes(rows.size())));
}

// Whether b is an eigenvector of C = (R − μ)ᵀ(R − μ) with eigenvalue λ, by two plain loops over the rows:  C·b = λ·b.
bool IsEigenvector(const Tensor& rows, const Tensor& mean, const Real* b, double lambda, double largest) {
  const Index d = rows.cols();
  std::vector<double> product(d, 0.0);
  for (Index i = 0; i < rows.rows(); ++i) {
    double score = 0;
    for (Index j = 0; j < d; ++j) score += (double{rows.row(i)[j]} - mean[j]) * b[j];
    for (Index j = 0; j < d; ++j) product[j] += score * (double{rows.row(i)[j]} - mean[j]);
  }
  double squares = 0;
  for (Index j = 0; j < d; ++j) squares += (product[j] - lambda * b[j]) * (product[j] - lambda * b[j]);
  return squares <= 1e-8 * largest * largest;
}

// Arguments: rows, width, K, threads.
void RunBasis(benchmark::State& state) {
  const Index n = state.range(0), d = state.range(1), k = state.range(2);
  SetNumThreads(static_cast<int>(state.range(3)));
  nn::Matrix matrix("rows", nn::MatrixKind::kBlock, ops::Layout::kOutIn, n, d);
  const Tensor rows = PlantedRows(n, d, k);
  WriteRows(rows, std::to_string(n) + "x" + std::to_string(d));
  matrix.form = std::make_unique<nn::Dense>(matrix.name, rows, matrix.layout);
  const std::vector<ct::RowSource> sources = {{&matrix, matrix.layout, n, 1}};

  const ct::Basis basis = ct::ComputeBasis(sources, k);
  for (Index i = 0; i < k; ++i) {
    if (!IsEigenvector(rows, basis.mean, basis.vectors.row(i), basis.eigenvalues[i], basis.eigenvalues[0])) {
      return state.SkipWithError("a row of the basis is no eigenvector of the centred rows' Gram matrix");
    }
  }
  const double seconds = MedianSeconds(state, [&] { ct::ComputeBasis(sources, k); });
  state.counters["seconds"] = seconds;
  state.counters["captured"] = ct::VarianceCaptured(basis);
}

BENCHMARK(RunBasis)
    ->Name("basis")
    ->ArgNames({"N", "d", "K", "threads"})
    ->Args({46398, 256, 8, 2})
    ->Args({8112, 2048, 64, 2})
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ampgrad::bench

int main(int argc, char** argv) { return ampgrad::bench::RunBenchmarks(argc, argv); }
