#include "ct/spectra/null_stack.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ct/spectra/spectrum.h"
#include "tensor/kernels/eigen/eigen.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ct {
namespace {

constexpr int kMostDraws = 200;
constexpr uint64_t kStackStream = 0x737461636b;  // "stack"; followed by a stream for each part of each draw

// Rows begin..end of random directions with these norms.
Tensor DrawRows(const std::vector<double>& row_squares, Index begin, Index end, Index d, const Random& random) {
  Tensor rows = Tensor::Uninitialized({end - begin, d});
  ParallelFor(end - begin, [&](Index r) {
    std::vector<double> row(d);
    double square = 0;
    for (Index j = 0; j < d; ++j) {
      row[j] = random.Normal(static_cast<uint64_t>((begin + r) * d + j));
      square += row[j] * row[j];
    }
    const double scale = std::sqrt(row_squares[begin + r] / square);
    for (Index j = 0; j < d; ++j) rows.row(r)[j] = static_cast<Real>(scale * row[j]);
  });
  return rows;
}

double SquaresOf(const std::vector<double>& numbers) {
  return std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0);
}

void AddDraw(const std::vector<StackPart>& parts, const StackSpectra& given, const std::vector<Index>& ks,
             uint64_t seed, uint64_t stream, StackNull& null) {
  const Index d = given.basis.width();
  const RowsOf rows_of = [&](size_t part, Index begin, Index end) {
    return DrawRows(given.row_squares[part], begin, end, d, Random(seed, stream + part));
  };
  const StackSpectra drawn = MeasureStack(parts, rows_of, d, ks.back(), false);
  null.eigenvalues.push_back(drawn.basis.eigenvalues);
  for (const auto& [layer, pr] : drawn.layer_pr) null.layer_pr[layer].push_back(pr);
  for (size_t i = 0; i < parts.size(); ++i) {
    null.matrix_pr[i].push_back(drawn.matrix_pr[i]);
    const Columns scores = ScoreColumns(parts[i], i, rows_of, drawn);
    double captured = 0;
    for (size_t j = 0, c = 0; j < ks.size(); ++j) {
      for (; c < static_cast<size_t>(ks[j]); ++c) captured += SquaresOf(scores[c]);
      null.matrix_r2[i][j].push_back(drawn.matrix_square[i] > 0 ? captured / drawn.matrix_square[i] : 1);
    }
  }
}

// Rows of like norm: how many, and their mean squared norm.
struct NormClass {
  double rows = 0, square = 0;
};

std::map<int, NormClass> ClassesOfNorms(const std::vector<StackPart>& parts, const StackSpectra& spectra) {
  constexpr double kStep = 1.05;
  std::map<int, NormClass> classes;
  for (size_t i = 0; i < parts.size(); ++i) {
    for (const double square : spectra.row_squares[i]) {
      if (square <= 0) continue;
      NormClass& group = classes[static_cast<int>(std::floor(std::log(square) / (2 * std::log(kStep))))];
      group.rows += parts[i].repeats;
      group.square += parts[i].repeats * square;
    }
  }
  return classes;
}

// A normal number whose square, summed over `dof` of them, it stands for: χ with many degrees of freedom is nearly
// normal (Fisher), with few it is drawn.
double DrawChi(double dof, const Random& random, uint64_t at) {
  if (dof > 200) return std::sqrt(std::max(0.0, dof - 0.5)) + random.Normal(at) / std::sqrt(2.0);
  double square = 0;
  const uint64_t first = at << 8;
  for (int i = 0; i < static_cast<int>(dof); ++i) {
    const double z = random.Normal(first + static_cast<uint64_t>(i));
    square += z * z;
  }
  return std::sqrt(square);
}

// A factor F [m, d] with FᵀF distributed as the Gram matrix of `rows` rows of d standard normal numbers, m = min(rows,
// d): the rows themselves, or Bartlett's triangle.
Tensor WishartFactor(Index rows, Index d, const Random& random, const Random& diagonal) {
  const Index m = std::min(rows, d);
  Tensor factor = Tensor({m, d});
  ParallelFor(m, [&](Index i) {
    for (Index j = rows < d ? 0 : i + 1; j < d; ++j) {
      factor.row(i)[j] = static_cast<Real>(random.Normal(static_cast<uint64_t>(i * d + j)));
    }
    if (rows >= d) {
      factor.row(i)[i] = static_cast<Real>(DrawChi(static_cast<double>(rows - i), diagonal, static_cast<uint64_t>(i)));
    }
  });
  return factor;
}

// The spectrum of the whole stack, from one Wishart matrix for each class of norms.
std::vector<double> DrawSpectrum(const std::vector<StackPart>& parts, const StackSpectra& spectra, uint64_t seed) {
  const Index d = spectra.basis.width();
  std::vector<double> gram(d * d, 0.0);
  uint64_t stream = kStackStream;
  for (const auto& [step, group] : ClassesOfNorms(parts, spectra)) {
    const Random random(seed, stream), diagonal(seed, stream + 1);
    stream += 2;
    const double variance = group.square / group.rows / static_cast<double>(d);
    AddGram(WishartFactor(static_cast<Index>(group.rows), d, random, diagonal), variance, gram);
  }
  return DecomposeSymmetric(gram, d, 0).values;
}

}  // namespace

StackNull DrawStackNull(const std::vector<StackPart>& parts, const StackSpectra& spectra, const std::vector<Index>& ks,
                        uint64_t seed, Index most) {
  Index numbers = 0;
  for (const StackPart& part : parts) numbers += part.rows * spectra.basis.width();
  const bool small = numbers <= most;
  StackNull null{.draws = small ? static_cast<int>(std::min<Index>(kMostDraws, most / numbers)) : 1,
                 .drawn_rows = small,
                 .eigenvalues = {},
                 .matrix_pr = std::vector<std::vector<double>>(parts.size()),
                 .layer_pr = {},
                 .matrix_r2 = std::vector<std::vector<std::vector<double>>>(
                     parts.size(), std::vector<std::vector<double>>(ks.size()))};
  if (!small) {
    null.eigenvalues.push_back(DrawSpectrum(parts, spectra, seed));
    return null;
  }
  for (int draw = 0; draw < null.draws; ++draw) {
    AddDraw(parts, spectra, ks, seed, kStackStream + static_cast<uint64_t>(draw) * parts.size(), null);
  }
  return null;
}

Figure AgainstRandomDirections(double value, const std::vector<double>& row_squares, Index d) {
  double t = 0, q2 = 0, q4 = 0;
  for (const double q : row_squares) {
    t += q;
    q2 += q * q;
    q4 += q * q * q * q;
  }
  if (!(q2 > 0)) return Untested(value);
  const double width = static_cast<double>(d);
  const double mean = q2 + (t * t - q2) / width;
  const double spread = std::sqrt(2 * (q2 * q2 - q4) * (3 / (width * (width + 2)) - 1 / (width * width)));
  // n independent rows of equal norm have PR n·d/(d + n − 1). About their mean n − 1 count: the factor is the ratio of
  // that PR at n − 1 to that at n.
  const double n = t * t / q2;
  const double centred = (n - 1) * (width + n - 1) / (n * (width + n - 2));
  const double pr = t * t / mean;
  return AgainstNormal(value, pr * centred, pr * centred * spread / mean, std::numeric_limits<double>::infinity(),
                       Structure::kLow);
}

}  // namespace ampgrad::ct
