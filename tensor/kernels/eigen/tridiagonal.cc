#include "tensor/kernels/eigen/tridiagonal.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/thread_pool.h"

namespace ampgrad {
namespace {

using kernels::AddProduct;
using kernels::kTile;
using Tile = std::array<double, kTile * kTile>;

// Row i of the band is stored from column i − kTile + 1 to column i + 2·kTile − 1: the full blocks on the diagonal, and
// the bulges to the right of it. All rows have the same length, so blocks of the band are ordinary matrices of this
// stride.
constexpr Index kBandStride = 3 * kTile - 1;

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
  for (Index j = 0; j < kTile; ++j) {
    double products[kTile];
    for (Index i = 0; i < j; ++i) products[i] = kernels::DotDouble(vt + i * stride, vt + j * stride, m);
    for (Index i = 0; i < j; ++i) {
      for (Index l = i; l < j; ++l) t[i * kTile + j] -= 2 * t[i * kTile + l] * products[l];
    }
    t[j * kTile + j] = -2;
  }
  return t;
}

void TransposeTile(const double* from, Index from_stride, double* to, Index to_stride) {
  for (Index i = 0; i < kTile; ++i) {
    for (Index j = 0; j < kTile; ++j) to[i * to_stride + j] = from[j * from_stride + i];
  }
}

}  // namespace

double& Tridiagonalisation::Band(Index i, Index j) { return band_[i * kBandStride + j + kTile - 1]; }

Tridiagonalisation::Tridiagonalisation(const std::vector<double>& a, Index n, double factor)
    : n_(n), size_((n + kTile - 1) / kTile * kTile), dense_stride_(size_ + kOffPages) {
  dense_.resize(size_ * dense_stride_);
  ParallelChunks(n, kTile, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for (Index j = begin; j < i; ++j) *Dense(i, j) = factor * a[j * n + i];
      for (Index j = i; j < n; ++j) *Dense(i, j) = factor * a[i * n + j];
    }
  });
  band_.resize((size_ + 2 * kTile) * (kBandStride + 1));
  ReduceToBand();
  ChaseBulges();
  for (Index i = 0; i < n; ++i) diagonal_.push_back(Band(i, i));
  for (Index i = 0; i + 1 < n; ++i) off_diagonal_.push_back(Band(i, i + 1));
}

// Reduces the kTile rows from row k on, right of the diagonal block, to L·Qᵀ with L lower triangular. L goes to the
// band; the reflections take the place of the rows.
void Tridiagonalisation::ReducePanel(Index k) {
  const Index right = k + kTile, m = size_ - right;
  for (Index i = 0; i < kTile; ++i) {
    double* x = Dense(k + i, right);
    std::copy_n(x, i, &Band(k + i, right));
    std::fill_n(x, i, 0.0);
    Band(k + i, right + i) = MakeReflection(x, m, i);
    kernels::ReflectRows(x, m, Dense(k + i + 1, right), dense_stride_, kTile - i - 1);
  }
}

// The trailing block A' [m, m] after the panel becomes Qᵀ·A'·Q, where Q = I + V·T·Vᵀ:
//   U = A'·V·T,   U ← U + ½V·(Tᵀ·(Vᵀ·U)),   A' ← A' + U·Vᵀ + V·Uᵀ
// Only tiles on or above the diagonal are stored; A'·V reads the others as transposes of them.
void Tridiagonalisation::UpdateTrailing(Index k) {
  const Index right = k + kTile, m = size_ - right, tiles = m / kTile, stride = dense_stride_;
  const double* vt = Dense(k, right);
  const Tile t = TriangularFactor(vt, stride, m);
  std::vector<double> v(m * kTile), u(m * kTile), ut(kTile * stride);
  ParallelFor(tiles, [&](Index i) { TransposeTile(vt + i * kTile, stride, &v[i * kTile * kTile], kTile); });
  ParallelFor(tiles, [&](Index tile) {
    const Index i = tile * kTile;
    Tile av{};
    AddProduct(kTile, kTile, i, {Dense(right, right + i), 1, stride}, v.data(), kTile, av.data(), kTile);
    AddProduct(kTile, kTile, m - i, {Dense(right + i, right + i), stride, 1}, &v[i * kTile], kTile, av.data(), kTile);
    AddProduct(kTile, kTile, kTile, {av.data(), kTile, 1}, t.data(), kTile, &u[i * kTile], kTile);
  });
  Tile vu{}, half{};
  AddProduct(kTile, kTile, m, {vt, stride, 1}, u.data(), kTile, vu.data(), kTile);
  AddProduct(kTile, kTile, kTile, {t.data(), 1, kTile}, vu.data(), kTile, half.data(), kTile);
  for (double& x : half) x *= 0.5;
  ParallelFor(tiles, [&](Index tile) {
    const Index i = tile * kTile;
    AddProduct(kTile, kTile, kTile, {&v[i * kTile], kTile, 1}, half.data(), kTile, &u[i * kTile], kTile);
    TransposeTile(&u[i * kTile], kTile, &ut[i], stride);
  });
  ParallelFor(tiles, [&](Index tile) {
    const Index i = tile * kTile;
    for (Index j = i; j < m; j += kTile) {
      double* block = Dense(right + i, right + j);
      AddProduct(kTile, kTile, kTile, {&u[i * kTile], kTile, 1}, vt + j, stride, block, stride);
      AddProduct(kTile, kTile, kTile, {&v[i * kTile], kTile, 1}, &ut[j], stride, block, stride);
    }
  });
}

void Tridiagonalisation::ReduceToBand() {
  for (Index k = 0; k < size_; k += kTile) {
    for (Index i = k; i < k + kTile; ++i) std::copy_n(Dense(i, k), kTile, &Band(i, k));
    if (k + kTile == size_) break;
    ReducePanel(k);
    UpdateTrailing(k);
  }
  // Mirrors L: the blocks on the diagonal need it when they move down the band.
  for (Index i = 0; i < size_; ++i) {
    for (Index j = i + 1; j < std::min(size_, i + kTile); ++j) Band(j, i) = Band(i, j);
  }
}

// Removes the entries of row j after its second one, counted from the diagonal, from the band. A reflection of rows and
// columns p..p + kTile does this for the row `top`. It fills the block to the right of the diagonal, whose first row
// then sticks out of the band and is the next `top`. The parts of the block's other rows that stick out are left to the
// chases of those rows.
void Tridiagonalisation::ChaseFrom(Index j) {
  std::vector<double>& vectors = chases_[j];
  vectors.resize((n_ - j - 2) / kTile * kTile + kTile);
  double* v = vectors.data();
  for (Index p = j + 1; p + 1 < n_; p += kTile, v += kTile) {
    const Index top = std::max(j, p - kTile), last = p + kTile - 1;
    double* row = &Band(top, p);
    std::copy_n(row, kTile, v);
    std::fill_n(row, kTile, 0.0);
    row[0] = MakeReflection(v, kTile, 0);
    // The block on the diagonal moved by one since the last chase, so its last row is stored only as its last column.
    for (Index i = p; i < last; ++i) Band(last, i) = Band(i, last);
    kernels::ReflectColumns(v, kTile, &Band(p, p), kBandStride, 2 * kTile);
    kernels::ReflectRows(v, kTile, &Band(top + 1, p), kBandStride, last - top);
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
    for (Index p = j + 1; p + 1 < n_; p += kTile, v += kTile) {
      kernels::ReflectColumns(v, kTile, strip + p * kTile, kTile, kTile);
    }
  }
  for (Index k = size_ - 2 * kTile; k >= 0; k -= kTile) {
    const Index right = k + kTile;
    for (Index i = kTile - 1; i >= 0; --i) {
      const double* v = &dense_[(k + i) * dense_stride_ + right];
      kernels::ReflectColumns(v + i, size_ - right - i, strip + (right + i) * kTile, kTile, kTile);
    }
  }
}

}  // namespace ampgrad
