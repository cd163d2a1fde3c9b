#include "ct/spectra/alignment.h"

#include <algorithm>
#include <cmath>

#include "ct/singular.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ct {
namespace {

constexpr uint64_t kFrameStream = 0x6672616d65;  // "frame"

std::vector<double> ToDouble(const Tensor& x) { return {x.begin(), x.end()}; }

}  // namespace

std::vector<double> FrameProducts(const Tensor& frame, const Tensor& directions) {
  const Index k = frame.rows(), d = frame.cols();
  std::vector<double> products(k * k);
  ParallelFor(k, [&](Index i) {
    for (Index j = 0; j < k; ++j) {
      double dot = 0;
      for (Index c = 0; c < d; ++c) dot += static_cast<double>(frame.row(i)[c]) * directions.row(j)[c];
      products[i * k + j] = dot;
    }
  });
  return products;
}

double SubspaceOverlap(const std::vector<double>& products, Index k) {
  double squares = 0;
  for (const double product : products) squares += product * product;
  return squares / static_cast<double>(k);
}

double MeanMaxCosine(const std::vector<double>& products, Index k) {
  double sum = 0;
  for (Index i = 0; i < k; ++i) {
    double largest = 0;
    for (Index j = 0; j < k; ++j) largest = std::max(largest, std::abs(products[i * k + j]));
    sum += largest;
  }
  return sum / static_cast<double>(k);
}

// Any K directions are as good as any others to a random frame, so the first K unit vectors stand for them: the
// products are the frame's first K columns.
AlignmentDraws DrawAlignment(const std::vector<double>& products, Index k, Index d, int draws, uint64_t seed) {
  const auto empty = std::vector<double>(draws);
  AlignmentDraws drawn{empty, empty, empty};
  ParallelFor(draws, [&](Index draw) {
    const uint64_t stream = kFrameStream + static_cast<uint64_t>(2 * draw);
    const Tensor frame = RandomOrthonormal(k, d, seed, stream);
    std::vector<double> leading(k * k);
    for (Index i = 0; i < k; ++i) std::copy_n(frame.row(i), k, &leading[i * k]);
    drawn.subspace_overlap[draw] = SubspaceOverlap(leading, k);
    drawn.mean_max_cosine[draw] = MeanMaxCosine(leading, k);
    const std::vector<double> rotation = ToDouble(RandomOrthonormal(k, k, seed, stream + 1));
    drawn.within_span[draw] = MeanMaxCosine(SquareProduct(rotation, products, k), k);
  });
  return drawn;
}

std::vector<double> SquareProduct(const std::vector<double>& a, const std::vector<double>& b, Index k) {
  std::vector<double> product(k * k, 0.0);
  for (Index i = 0; i < k; ++i) {
    for (Index l = 0; l < k; ++l) {
      for (Index j = 0; j < k; ++j) product[i * k + j] += a[i * k + l] * b[l * k + j];
    }
  }
  return product;
}

}  // namespace ampgrad::ct
