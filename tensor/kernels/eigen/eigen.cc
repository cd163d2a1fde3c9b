#include "tensor/kernels/eigen/eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "tensor/kernels/eigen/tridiagonal.h"
#include "tensor/thread_pool.h"

namespace ampgrad {
namespace {

using kernels::kBand;
using kernels::Rotation;

// Numbers below this count as zero next to numbers near 1. Squares of larger numbers are exact enough.
constexpr double kNothing = 1e-100;

// The plane rotations of one sweep of the QL iteration. Rotation i rotates rows first + i and first + i + 1.
struct Sweep {
  Index first;
  std::vector<Rotation> rotations;
};

// One sweep over rows l..m of the tridiagonal matrix with diagonal d and off-diagonal e, shifted towards an eigenvalue.
Sweep QlSweep(Index l, Index m, double* d, double* e) {
  // Wilkinson's shift: the eigenvalue of the leading 2 x 2 block that lies nearer to d[l].
  double g = (d[l + 1] - d[l]) / (2 * e[l]);
  g = d[m] - d[l] + e[l] / (g + std::copysign(std::sqrt(g * g + 1), g));
  double s = 1, c = 1, p = 0;
  Sweep sweep{l, std::vector<Rotation>(m - l, Rotation{1, 0})};
  for (Index i = m - 1; i >= l; --i) {
    const double f = s * e[i], b = c * e[i];
    const double r = std::sqrt(f * f + g * g);
    if (r < kNothing) {  // the matrix splits here
      d[i + 1] -= p;
      e[i + 1] = 0;
      e[m] = 0;
      return sweep;
    }
    e[i + 1] = r;
    s = f / r;
    c = g / r;
    const double shifted = d[i + 1] - p;
    const double t = (d[i] - shifted) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = shifted + p;
    g = c * t - b;
    sweep.rotations[i - l] = {c, s};
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
  return sweep;
}

// The QL iteration: drives e [n − 1] to zero and d [n] to the eigenvalues. The columns of the product of all rotations
// are the eigenvectors. An e of one eps of the largest entry is no larger than the rounding error of the reduction, and
// every sweep brings such an error anew: where many eigenvalues are zero, a smaller bound cannot be reached.
std::vector<Sweep> Diagonalise(std::vector<double>& d, std::vector<double> e) {
  constexpr int kMaxSweeps = 60;  // two or three are usual
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  const Index n = static_cast<Index>(d.size());
  e.push_back(0);
  double largest = 0;
  for (Index i = 0; i < n; ++i) largest = std::max({largest, std::abs(d[i]), std::abs(e[i])});
  std::vector<Sweep> sweeps;
  for (Index l = 0; l < n; ++l) {
    for (int count = 0;; ++count) {
      Index m = l;
      while (m + 1 < n && std::abs(e[m]) > kEpsilon * (largest + std::abs(d[m]) + std::abs(d[m + 1]))) ++m;
      if (m == l) break;
      if (count == kMaxSweeps) throw std::runtime_error("[eigen] the QL iteration did not converge");
      sweeps.push_back(QlSweep(l, m, d.data(), e.data()));
    }
  }
  return sweeps;
}

// max |a[i]|; throws when a number is not finite.
double LargestMagnitude(const std::vector<double>& a, Index n) {
  std::vector<double> largest(n, 0.0);
  ParallelChunks(n, kBand, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for (Index j = i * n; j < (i + 1) * n; ++j) {
        if (!std::isfinite(a[j])) throw std::invalid_argument("[eigen] expected finite numbers, found NaN or infinity");
        largest[i] = std::max(largest[i], std::abs(a[j]));
      }
    }
  });
  return *std::max_element(largest.begin(), largest.end());
}

// Restores length 1 of v, which hundreds of rotations have changed by one rounding each, and makes its entry of largest
// magnitude positive.
void Normalise(double* v, Index n) {
  const double* largest = std::max_element(v, v + n, [](double x, double y) { return std::abs(x) < std::abs(y); });
  const double length = std::copysign(std::sqrt(std::inner_product(v, v + n, v, 0.0)), *largest);
  std::transform(v, v + n, v, [length](double x) { return x / length; });
}

// Row i of the result is the eigenvector at place places[i] of the tridiagonal form. The vector of a place is
// Q·G_1·G_2·…·G_s·e, where e is a unit vector and G_i are the rotations of sweep i, multiplied from right to left. So
// only the wanted vectors are computed, and however close their eigenvalues are, they are as orthogonal as the
// rotations and reflections.
std::vector<double> Eigenvectors(const Tridiagonalisation& reduced, const std::vector<Sweep>& sweeps, Index n,
                                 const std::vector<Index>& places) {
  const Index wanted = static_cast<Index>(places.size());
  std::vector<double> vectors(wanted * n);
  ParallelChunks(wanted, kBand, [&](Index begin, Index end) {
    std::vector<double> strip(reduced.StripRows() * kBand);  // one vector in each column
    for (Index j = begin; j < end; ++j) strip[places[j] * kBand + j - begin] = 1;
    for (auto sweep = sweeps.rbegin(); sweep != sweeps.rend(); ++sweep) {
      kernels::RotateStrip(sweep->rotations.data(), static_cast<Index>(sweep->rotations.size()),
                           &strip[sweep->first * kBand]);
    }
    reduced.MultiplyByQ(strip.data());
    for (Index j = begin; j < end; ++j) {
      for (Index i = 0; i < n; ++i) vectors[j * n + i] = strip[i * kBand + j - begin];
      Normalise(&vectors[j * n], n);
    }
  });
  return vectors;
}

}  // namespace

SymmetricEigen DecomposeSymmetric(const std::vector<double>& a, Index n, Index wanted) {
  if (n < 1 || static_cast<Index>(a.size()) != n * n) {
    throw std::invalid_argument("[eigen] expected a matrix of " + std::to_string(n) + " x " + std::to_string(n) +
                                " numbers, found " + std::to_string(a.size()));
  }
  if (wanted < 0 || wanted > n) {
    throw std::invalid_argument("[eigen] expected 0 to " + std::to_string(n) + " vectors, found " +
                                std::to_string(wanted));
  }
  // Division by a power of two brings the entries near 1, so that their squares fit in a double.
  const double largest = LargestMagnitude(a, n);
  const double scale = largest > 0 ? std::ldexp(1, std::clamp(std::ilogb(largest), -1000, 1000)) : 1;
  const Tridiagonalisation reduced(a, n, 1 / scale);
  std::vector<double> d = reduced.diagonal();
  const std::vector<Sweep> sweeps = Diagonalise(d, reduced.off_diagonal());

  std::vector<Index> order(n);
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) { return d[i] > d[j]; });
  SymmetricEigen result;
  for (const Index i : order) result.values.push_back(scale * d[i]);
  order.resize(wanted);
  result.vectors = Eigenvectors(reduced, sweeps, n, order);
  return result;
}

}  // namespace ampgrad
