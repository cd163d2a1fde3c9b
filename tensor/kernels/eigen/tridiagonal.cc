#include "tensor/kernels/eigen/tridiagonal.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/thread_pool.h"

namespace ampgrad {
namespace {

using kernels::AddProduct;
using kernels::kBand;
using Tile = std::array<double, kBand * kBand>;

// Row i of the band is stored from column i − kBand + 1 to column i + 2·kBand − 1: the full blocks on the diagonal, and
// the bulges to the right of it. All rows have the same length, so blocks of the band are ordinary matrices of this
// stride.
constexpr Index kBandStride = 3 * kBand - 1;

// A cache line more than a power of two: otherwise the rows of a column would all fall into a few cache sets.
constexpr Index kOffPages = 8;

// Replaces x [n], which is zero before `first`, with the unit vector v of the reflection that maps x to a multiple of
// e_first, and returns that multiple.
double MakeReflection(double* x, Index n, Index first) {
  constexpr double kNothing = 1e-100;  // squares of larger numbers are exact enough
  const double norm = std::sqrt(kernels::DotDouble(x, x, n)), head = x[first];
  if (norm < kNothing) {
    std::fill_n(x, n, 0.0);
    return 0;
  }
  const double image = head > 0 ? -norm : norm;  // away from x[first]: no cancellation
  x[first] -= image;
  const double scale = 1 / std::sqrt(2 * norm * (norm + std::abs(head)));
  for (Index i = first; i < n; ++i) x[i] *= scale;
  return image;
}

// The triangular factor T of a block reflection: H_0·H_1·… = I + V·T·Vᵀ, where row i of vt is the unit vector of
// reflection i, or zero (Golub and Van Loan, section 5.1.7).
Tile TriangularFactor(const double* vt, Index stride, Index m) {
  Tile t{};
  for (Index j = 0; j < kBand; ++j) {
    double products[kBand];
    for (Index i = 0; i < j; ++i) products[i] = kernels::DotDouble(vt + i * stride, vt + j * stride, m);
    for (Index i = 0; i < j; ++i) {
      for (Index l = i; l < j; ++l) t[i * kBand + j] -= 2 * t[i * kBand + l] * products[l];
    }
    t[j * kBand + j] = -2;
  }
  return t;
}

void TransposeTile(const double* from, Index from_stride, double* to, Index to_stride) {
  for (Index i = 0; i < kBand; ++i) {
    for (Index j = 0; j < kBand; ++j) to[i * to_stride + j] = from[j * from_stride + i];
  }
}

}  // namespace

double& Tridiagonalisation::Band(Index i, Index j) { return band_[i * kBandStride + j + kBand - 1]; }

Tridiagonalisation::Tridiagonalisation(const std::vector<double>& a, Index n, double factor)
    : n_(n), size_((n + kBand - 1) / kBand * kBand), dense_stride_(size_ + kOffPages) {
  dense_.resize(size_ * dense_stride_);
  ParallelChunks(n, kBand, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for (Index j = begin; j < i; ++j) *Dense(i, j) = factor * a[j * n + i];
      for (Index j = i; j < n; ++j) *Dense(i, j) = factor * a[i * n + j];
    }
  });
  band_.resize((size_ + 2 * kBand) * (kBandStride + 1));
  ReduceToBand();
  ChaseBulges();
  for (Index i = 0; i < n; ++i) diagonal_.push_back(Band(i, i));
  for (Index i = 0; i + 1 < n; ++i) off_diagonal_.push_back(Band(i, i + 1));
}

// Reduces the kBand rows from row k on, right of the diagonal block, to L·Qᵀ with L lower triangular. L goes to the
// band; the reflections take the place of the rows.
void Tridiagonalisation::ReducePanel(Index k) {
  const Index right = k + kBand, m = size_ - right;
  for (Index i = 0; i < kBand; ++i) {
    double* x = Dense(k + i, right);
    std::copy_n(x, i, &Band(k + i, right));
    std::fill_n(x, i, 0.0);
    Band(k + i, right + i) = MakeReflection(x, m, i);
    kernels::ReflectRows(x, m, Dense(k + i + 1, right), dense_stride_, kBand - i - 1);
  }
}

// The trailing block A' [m, m] after the panel becomes Qᵀ·A'·Q, where Q = I + V·T·Vᵀ:
//   U = A'·V·T,   U ← U + ½V·(Tᵀ·(Vᵀ·U)),   A' ← A' + U·Vᵀ + V·Uᵀ
// Only tiles on or above the diagonal are stored; A'·V reads the others as transposes of them.
void Tridiagonalisation::UpdateTrailing(Index k) {
  const Index right = k + kBand, m = size_ - right, tiles = m / kBand, stride = dense_stride_;
  const double* vt = Dense(k, right);
  const Tile t = TriangularFactor(vt, stride, m);
  std::vector<double> v(m * kBand), u(m * kBand), ut(kBand * stride);
  ParallelFor(tiles, [&](Index i) { TransposeTile(vt + i * kBand, stride, &v[i * kBand * kBand], kBand); });
  ParallelFor(tiles, [&](Index tile) {
    const Index i = tile * kBand;
    Tile av{};
    AddProduct(kBand, kBand, i, {Dense(right, right + i), 1, stride}, v.data(), kBand, av.data(), kBand);
    AddProduct(kBand, kBand, m - i, {Dense(right + i, right + i), stride, 1}, &v[i * kBand], kBand, av.data(), kBand);
    AddProduct(kBand, kBand, kBand, {av.data(), kBand, 1}, t.data(), kBand, &u[i * kBand], kBand);
  });
  Tile vu{}, half{};
  AddProduct(kBand, kBand, m, {vt, stride, 1}, u.data(), kBand, vu.data(), kBand);
  AddProduct(kBand, kBand, kBand, {t.data(), 1, kBand}, vu.data(), kBand, half.data(), kBand);
  for (double& x : half) x *= 0.5;
  ParallelFor(tiles, [&](Index tile) {
    const Index i = tile * kBand;
    AddProduct(kBand, kBand, kBand, {&v[i * kBand], kBand, 1}, half.data(), kBand, &u[i * kBand], kBand);
    TransposeTile(&u[i * kBand], kBand, &ut[i], stride);
  });
  ParallelFor(tiles, [&](Index tile) {
    const Index i = tile * kBand;
    for (Index j = i; j < m; j += kBand) {
      double* block = Dense(right + i, right + j);
      AddProduct(kBand, kBand, kBand, {&u[i * kBand], kBand, 1}, vt + j, stride, block, stride);
      AddProduct(kBand, kBand, kBand, {&v[i * kBand], kBand, 1}, &ut[j], stride, block, stride);
    }
  });
}

void Tridiagonalisation::ReduceToBand() {
  for (Index k = 0; k < size_; k += kBand) {
    for (Index i = k; i < k + kBand; ++i) std::copy_n(Dense(i, k), kBand, &Band(i, k));
    if (k + kBand == size_) break;
    ReducePanel(k);
    UpdateTrailing(k);
  }
  // Mirrors L: the blocks on the diagonal need it when they move down the band.
  for (Index i = 0; i < size_; ++i) {
    for (Index j = i + 1; j < std::min(size_, i + kBand); ++j) Band(j, i) = Band(i, j);
  }
}

// Removes the entries of row j after its second one, counted from the diagonal, from the band. A reflection of rows and
// columns p..p + kBand does this for the row `top`. It fills the block to the right of the diagonal, whose first row
// then sticks out of the band and is the next `top`. The parts of the block's other rows that stick out are left to the
// chases of those rows.
void Tridiagonalisation::ChaseFrom(Index j) {
  std::vector<double>& vectors = chases_[j];
  vectors.resize((n_ - j - 2) / kBand * kBand + kBand);
  double* v = vectors.data();
  for (Index p = j + 1; p + 1 < n_; p += kBand, v += kBand) {
    const Index top = std::max(j, p - kBand), last = p + kBand - 1;
    double* row = &Band(top, p);
    std::copy_n(row, kBand, v);
    std::fill_n(row, kBand, 0.0);
    row[0] = MakeReflection(v, kBand, 0);
    // The block on the diagonal moved by one since the last chase, so its last row is stored only as its last column.
    for (Index i = p; i < last; ++i) Band(last, i) = Band(i, last);
    kernels::ReflectColumns(v, kBand, &Band(p, p), kBandStride, 2 * kBand);
    kernels::ReflectRows(v, kBand, &Band(top + 1, p), kBandStride, last - top);
  }
}

void Tridiagonalisation::ChaseBulges() {
  chases_.resize(std::max<Index>(0, n_ - 2));
  for (Index j = 0; j + 2 < n_; ++j) ChaseFrom(j);
}

void Tridiagonalisation::MultiplyByQ(double* strip) const {
  for (Index j = n_ - 3; j >= 0; --j) {
    // Reflections of one chase have no rows in common, so their order is free.
    const double* v = chases_[j].data();
    for (Index p = j + 1; p + 1 < n_; p += kBand, v += kBand) {
      kernels::ReflectColumns(v, kBand, strip + p * kBand, kBand, kBand);
    }
  }
  for (Index k = size_ - 2 * kBand; k >= 0; k -= kBand) {
    const Index right = k + kBand;
    for (Index i = kBand - 1; i >= 0; --i) {
      const double* v = &dense_[(k + i) * dense_stride_ + right];
      kernels::ReflectColumns(v + i, size_ - right - i, strip + (right + i) * kBand, kBand, kBand);
    }
  }
}

}  // namespace ampgrad
