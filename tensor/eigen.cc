#include "tensor/eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "tensor/thread_pool.h"

namespace ampgrad {
namespace {

double Dot(const double* x, const double* y, Index n) {
  // Four partial sums, so that the additions need not wait for one another.
  double s[4] = {};
  Index i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int j = 0; j < 4; ++j) s[j] += x[i + j] * y[i + j];
  }
  for (; i < n; ++i) s[0] += x[i] * y[i];
  return (s[0] + s[1]) + (s[2] + s[3]);
}

// Rows of a task when every row costs O(n).
constexpr Index kRowChunk = 32;

// The reflection H = I − beta·v·vᵀ that maps x [n] onto a multiple of e_0: sets v [n], returns beta and that multiple.
struct Reflection {
  double beta, image;
};

Reflection MakeReflection(const double* x, Index n, double* v) {
  std::copy_n(x, n, v);
  const double scale =
      std::abs(*std::max_element(x, x + n, [](double a, double b) { return std::abs(a) < std::abs(b); }));
  if (n == 1 || scale == 0) return {0, x[0]};
  for (Index i = 0; i < n; ++i) v[i] /= scale;  // squares neither overflow nor vanish
  const double norm = std::sqrt(Dot(v, v, n));
  const double image = v[0] > 0 ? -norm : norm;  // away from v[0]: no cancellation
  v[0] -= image;
  return {2 / Dot(v, v, n), image * scale};
}

// Reduces `a` to tridiagonal form T = Qᵀ·A·Q: diagonal [n], off_diagonal [n] (entry i couples i and i + 1). The reflections
// stay in the rows of `a`: that of step k in a[k, k+1:], with its factor in beta[k].
void Tridiagonalise(std::vector<double>& a, Index n, std::vector<double>& diagonal, std::vector<double>& off_diagonal,
                    std::vector<double>& beta) {
  std::vector<double> v(n), w(n);
  for (Index k = 0; k + 1 < n; ++k) {
    const Index m = n - k - 1;  // size of the trailing block A' = a[k+1:, k+1:]
    double* block = &a[(k + 1) * n + k + 1];
    const Reflection h = MakeReflection(&a[k * n + k + 1], m, v.data());
    beta[k] = h.beta;
    off_diagonal[k] = h.image;
    // H·A'·H = A' − v·wᵀ − w·vᵀ  with  p = beta·A'·v,  w = p − ½beta·(p·v)·v
    ParallelChunks(m, kRowChunk, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) w[i] = h.beta * Dot(block + i * n, v.data(), m);
    });
    const double half = 0.5 * h.beta * Dot(w.data(), v.data(), m);
    for (Index i = 0; i < m; ++i) w[i] -= half * v[i];
    ParallelChunks(m, kRowChunk, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        double* row = block + i * n;
        for (Index j = 0; j < m; ++j) row[j] -= v[i] * w[j] + w[i] * v[j];
      }
    });
    std::copy_n(v.data(), m, &a[k * n + k + 1]);
  }
  for (Index i = 0; i < n; ++i) diagonal[i] = a[i * n + i];
}

// Qᵀ, row by row, from the reflections that Tridiagonalise left. Built from the last one on, so that step k touches only
// rows and columns behind k.
std::vector<double> AccumulateReflections(const std::vector<double>& a, Index n, const std::vector<double>& beta) {
  std::vector<double> z(n * n, 0.0);
  for (Index i = 0; i < n; ++i) z[i * n + i] = 1;
  for (Index k = n - 2; k >= 0; --k) {
    const Index m = n - k - 1;
    const double* v = &a[k * n + k + 1];
    ParallelChunks(m, kRowChunk, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        double* row = &z[(k + 1 + i) * n + k + 1];
        const double s = beta[k] * Dot(row, v, m);
        for (Index j = 0; j < m; ++j) row[j] -= s * v[j];
      }
    });
  }
  return z;
}

// One plane rotation of rows i and i + 1 of z.
struct Rotation {
  Index i;
  double c, s;
};

// Applies rotations to z [n, n], each task to its own columns: the rows pass once, columns never meet.
void ApplyRotations(const std::vector<Rotation>& rotations, Index n, std::vector<double>& z) {
  ParallelChunks(n, 128, [&](Index begin, Index end) {
    for (const Rotation& r : rotations) {
      double *lower = &z[r.i * n], *upper = lower + n;
      for (Index j = begin; j < end; ++j) {
        const double u = upper[j], l = lower[j];
        upper[j] = r.s * l + r.c * u;
        lower[j] = r.c * l - r.s * u;
      }
    }
  });
}

// The QL iteration: drives e to zero, d to the eigenvalues, and turns the rows of z into eigenvectors.
void DiagonaliseTridiagonal(Index n, std::vector<double>& d, std::vector<double>& e, std::vector<double>& z) {
  constexpr int kMaxSweeps = 60;  // two or three are usual
  e[n - 1] = 0;
  for (Index l = 0; l < n; ++l) {
    for (int sweep = 0;; ++sweep) {
      Index m = l;
      while (m + 1 < n &&
             std::abs(e[m]) > std::numeric_limits<double>::epsilon() * (std::abs(d[m]) + std::abs(d[m + 1]))) {
        ++m;
      }
      if (m == l) break;
      if (sweep == kMaxSweeps) throw std::runtime_error("[eigen] the QL iteration did not converge");
      // Wilkinson's shift: the eigenvalue of the leading 2 x 2 block that lies nearer to d[l].
      double g = (d[l + 1] - d[l]) / (2 * e[l]);
      g = d[m] - d[l] + e[l] / (g + std::copysign(std::hypot(g, 1.0), g));
      double s = 1, c = 1, p = 0;
      std::vector<Rotation> rotations;
      Index i = m - 1;
      for (; i >= l; --i) {
        const double f = s * e[i], b = c * e[i];
        const double r = std::hypot(f, g);
        e[i + 1] = r;
        if (r == 0) {  // the matrix splits here
          d[i + 1] -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        const double shifted = d[i + 1] - p;
        const double t = (d[i] - shifted) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = shifted + p;
        g = c * t - b;
        rotations.push_back({i, c, s});
      }
      ApplyRotations(rotations, n, z);
      if (i >= l) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
}

}  // namespace

SymmetricEigen DecomposeSymmetric(std::vector<double> a, Index n) {
  if (n < 1 || static_cast<Index>(a.size()) != n * n) {
    throw std::invalid_argument("[eigen] expected a matrix of " + std::to_string(n) + " x " + std::to_string(n) +
                                " numbers, found " + std::to_string(a.size()));
  }
  if (!std::all_of(a.begin(), a.end(), [](double x) { return std::isfinite(x); })) {
    throw std::invalid_argument("[eigen] expected finite numbers, found NaN or infinity");
  }
  std::vector<double> d(n), e(n, 0.0), beta(n, 0.0);
  Tridiagonalise(a, n, d, e, beta);
  std::vector<double> z = AccumulateReflections(a, n, beta);
  DiagonaliseTridiagonal(n, d, e, z);

  std::vector<Index> order(n);
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) { return d[i] > d[j]; });
  SymmetricEigen result{std::vector<double>(n), std::vector<double>(n * n)};
  for (Index i = 0; i < n; ++i) {
    const double* from = &z[order[i] * n];
    const double* largest =
        std::max_element(from, from + n, [](double x, double y) { return std::abs(x) < std::abs(y); });
    const double sign = *largest < 0 ? -1 : 1;
    result.values[i] = d[order[i]];
    std::transform(from, from + n, &result.vectors[i * n], [sign](double x) { return sign * x; });
  }
  return result;
}

}  // namespace ampgrad
