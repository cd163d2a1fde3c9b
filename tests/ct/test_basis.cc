#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "tensor/thread_pool.h"
#include "tests/reference/jacobi.h"
#include "tests/reference/numbers.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// The universal basis against Jacobi's method on a Gram matrix summed in double, and on data of known structure.
namespace ampgrad::ct {
namespace {

using ops::Layout;
using Doubles = std::vector<double>;

// Matrices of one width with all their rows.
class Sources {
 public:
  explicit Sources(const std::vector<Tensor>& tensors, int repeats = 1) {
    for (const Tensor& rows : tensors) {
      matrices_.push_back(MakeMatrix("m" + std::to_string(matrices_.size()), Layout::kOutIn, rows));
      list_.push_back(SourceOf(*matrices_.back(), repeats));
    }
  }
  const std::vector<RowSource>& list() const { return list_; }

 private:
  std::vector<std::unique_ptr<nn::Matrix>> matrices_;
  std::vector<RowSource> list_;
};

// Rows whose spectrum falls off by `decay` from one direction to the next, around a mean far from zero.
Tensor Decaying(Index rows, Index d, double decay, uint64_t stream) {
  const Tensor noise = Normal({rows, d}, stream), mixing = Normal({d, d}, 900);
  Tensor t({rows, d});
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < d; ++j) {
      double sum = 0.5 + 0.1 * static_cast<double>(j);
      for (Index k = 0; k < d; ++k) sum += noise.row(i)[k] * std::pow(decay, k) * mixing.row(k)[j];
      t.row(i)[j] = static_cast<Real>(sum);
    }
  }
  return t;
}

// The mean row, and Σ (r − μ)(r − μ)ᵀ, with each row `repeats` times.
struct Moments {
  Doubles mean, gram;
  Index rows = 0;
};

Moments MomentsOf(const std::vector<Tensor>& tensors, int repeats = 1) {
  const Index d = tensors[0].cols();
  Moments m{Doubles(d), Doubles(d * d), 0};
  const auto for_rows = [&](const std::function<void(const Real*)>& body) {
    for (const Tensor& t : tensors) {
      for (Index i = 0; i < t.rows() * repeats; ++i) body(t.row(i % t.rows()));
    }
  };
  for_rows([&](const Real* row) {
    ++m.rows;
    for (Index j = 0; j < d; ++j) m.mean[j] += row[j];
  });
  for (double& x : m.mean) x /= static_cast<double>(m.rows);
  for_rows([&](const Real* row) {
    for (Index i = 0; i < d; ++i) {
      for (Index j = 0; j < d; ++j) m.gram[i * d + j] += (row[i] - m.mean[i]) * (row[j] - m.mean[j]);
    }
  });
  return m;
}

double Dot(const Real* a, const double* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// max |B·Bᵀ − 1|; NaN if any element is NaN.
double OrthonormalityError(const Tensor& b) {
  double worst = 0;
  for (Index i = 0; i < b.rows(); ++i) {
    for (Index j = 0; j < b.rows(); ++j) {
      double dot = i == j ? -1 : 0;
      for (Index k = 0; k < b.cols(); ++k) dot += static_cast<double>(b.row(i)[k]) * b.row(j)[k];
      if (!(std::abs(dot) <= worst)) worst = std::abs(dot);
    }
  }
  return worst;
}

TEST(Basis, MatchesJacobi) {
  constexpr Index kD = 12, kK = 5;
  const std::vector<Tensor> rows = {Decaying(40, kD, 0.7, 1), Decaying(300, kD, 0.7, 2), Decaying(7, kD, 0.7, 3)};
  for (const int repeats : {1, 2}) {
    const Sources sources(rows, repeats);
    const Basis basis = ComputeBasis(sources.list(), kK);
    const Moments moments = MomentsOf(rows, repeats);
    const reference::Eigen expected = reference::Jacobi(moments.gram, kD);
    EXPECT_EQ(basis.rows, 347 * repeats);
    EXPECT_EQ(basis.k(), kK);
    EXPECT_EQ(basis.width(), kD);
    ASSERT_EQ(basis.eigenvalues.size(), static_cast<size_t>(kD));
    for (Index j = 0; j < kD; ++j) {
      EXPECT_LE(std::abs(basis.mean[j] - moments.mean[j]), 100 * kEpsilon * std::abs(moments.mean[j])) << j;
      EXPECT_LE(std::abs(basis.eigenvalues[j] - expected.values[j]), 30 * kEpsilon * expected.values[0]) << j;
    }
    for (Index k = 0; k < kK; ++k) {
      // The angle of two unit vectors: sin² = 1 − cos², or directly ‖b − (b·e)e‖.
      const double* e = &expected.vectors[k * kD];
      const double cosine = Dot(basis.vectors.row(k), e, kD);
      double sine = 0;
      for (Index j = 0; j < kD; ++j) sine += std::pow(basis.vectors.row(k)[j] - cosine * e[j], 2);
      EXPECT_LE(std::sqrt(sine), 1000 * kEpsilon) << "vector " << k;
    }
  }
}

// More rows than one partial Gram product takes, and a width of several of its tasks but not a multiple of theirs.
TEST(Basis, CapturesTheExactVariance) {
  constexpr Index kD = 150, kK = 6;
  const std::vector<Tensor> tensors = {Decaying(2300, kD, 0.9, 21), Decaying(300, kD, 0.9, 22)};
  const Sources sources(tensors);
  const Basis basis = ComputeBasis(sources.list(), kK);
  const Moments moments = MomentsOf(tensors);
  // tr(B·G·Bᵀ) / tr(G) with the exact Gram matrix G is what B really captures; `best` is the most that any B captures.
  const reference::Eigen expected = reference::Jacobi(moments.gram, kD);
  double trace = 0, best = 0, captured = 0;
  for (Index i = 0; i < kD; ++i) trace += moments.gram[i * kD + i];
  for (Index k = 0; k < kK; ++k) {
    best += expected.values[k];
    for (Index i = 0; i < kD; ++i) {
      captured += basis.vectors.row(k)[i] * Dot(basis.vectors.row(k), &moments.gram[i * kD], kD);
    }
  }
  EXPECT_LE(std::abs(captured - best), 1e-6 * best);
  EXPECT_LE(std::abs(VarianceCaptured(basis) - best / trace), 1e-6 * best / trace);
  double sum = 0;
  for (const double value : basis.eigenvalues) sum += value;
  EXPECT_LE(std::abs(sum - trace), 1e-6 * trace);
}

TEST(Basis, IsOrthonormal) {
  for (const Index k : {1, 3, 16}) {
    const Basis basis = ComputeBasis(Sources({Decaying(50, 16, 0.8, 4)}).list(), k);
    EXPECT_EQ(basis.vectors.shape(), Shape({k, 16}));
    EXPECT_LE(OrthonormalityError(basis.vectors), 8 * kEpsilon) << k;
  }
}

TEST(Basis, TurnsTheEntryOfLargestMagnitudePositive) {
  const Basis basis = ComputeBasis(Sources({Decaying(60, 9, 0.8, 5)}).list(), 9);
  for (Index k = 0; k < basis.k(); ++k) {
    const Real* row = basis.vectors.row(k);
    const Real largest = *std::max_element(row, row + 9, [](Real a, Real b) { return std::abs(a) < std::abs(b); });
    EXPECT_GT(largest, 0) << k;
  }
}

TEST(Basis, FindsAPlantedSubspace) {
  constexpr Index kN = 200, kD = 24, kRank = 4;
  const Tensor s0 = Normal({kN, kRank}, 6), b0 = Normal({kRank, kD}, 7);
  Tensor rows({kN, kD});
  for (Index i = 0; i < kN; ++i) {
    for (Index j = 0; j < kD; ++j) {
      double sum = 1;  // μ up to the mean of s0
      for (Index k = 0; k < kRank; ++k) sum += static_cast<double>(s0.row(i)[k]) * b0.row(k)[j];
      rows.row(i)[j] = static_cast<Real>(sum);
    }
  }
  const Sources sources({rows});
  const Basis basis = ComputeBasis(sources.list(), kRank);
  EXPECT_LE(std::abs(RSquared(sources.list(), basis) - 1), 100 * kEpsilon);
  EXPECT_LE(std::abs(VarianceCaptured(basis) - 1), 100 * kEpsilon);
  // Every planted direction lies in the span of B.
  for (Index r = 0; r < kRank; ++r) {
    Doubles rest(b0.row(r), b0.row(r) + kD);
    const double norm = std::sqrt(Dot(b0.row(r), rest.data(), kD));
    for (Index k = 0; k < kRank; ++k) {
      const double dot = Dot(basis.vectors.row(k), rest.data(), kD);
      for (Index j = 0; j < kD; ++j) rest[j] -= dot * basis.vectors.row(k)[j];
    }
    double left = 0;
    for (const double x : rest) left += x * x;
    EXPECT_LE(std::sqrt(left), 100 * kEpsilon * norm) << r;
  }
  EXPECT_LT(RSquared(sources.list(), Truncated(basis, kRank - 1)), 0.95);
}

TEST(Basis, ReconstructsRowsWhenKIsTheWidth) {
  const Tensor rows = Decaying(33, 10, 0.9, 8);
  const Basis basis = ComputeBasis(Sources({rows}).list(), 10);
  EXPECT_LE(RelativeError(Rebuild(Scores(rows, basis), basis), rows), 16 * kEpsilon);
}

TEST(Basis, ScoresAndRebuildFollowTheirDefinitions) {
  constexpr Index kN = 5, kD = 7, kK = 3;
  const Tensor rows = Decaying(kN, kD, 0.9, 9), scores = Normal({kN, kK}, 10);
  const Basis basis = ComputeBasis(Sources({Decaying(30, kD, 0.9, 12)}).list(), kK);
  Tensor expected_scores({kN, kK}), expected_rows({kN, kD});
  for (Index i = 0; i < kN; ++i) {
    for (Index k = 0; k < kK; ++k) {
      double sum = 0;
      for (Index j = 0; j < kD; ++j) {
        sum += (static_cast<double>(rows.row(i)[j]) - basis.mean[j]) * basis.vectors.row(k)[j];
      }
      expected_scores.row(i)[k] = static_cast<Real>(sum);
    }
    for (Index j = 0; j < kD; ++j) {
      double sum = basis.mean[j];
      for (Index k = 0; k < kK; ++k) sum += static_cast<double>(scores.row(i)[k]) * basis.vectors.row(k)[j];
      expected_rows.row(i)[j] = static_cast<Real>(sum);
    }
  }
  ASSERT_EQ(Scores(rows, basis).shape(), Shape({kN, kK}));
  EXPECT_LE(RelativeError(Scores(rows, basis), expected_scores), 16 * kEpsilon);
  EXPECT_LE(RelativeError(Rebuild(scores, basis), expected_rows), 16 * kEpsilon);
}

TEST(Basis, VarianceCapturedIsRSquaredOfAllRows) {
  for (const int repeats : {1, 3}) {
    const Sources sources({Decaying(90, 14, 0.85, 13), Decaying(31, 14, 0.85, 14)}, repeats);
    const Basis full = ComputeBasis(sources.list(), 14);
    for (const Index k : {1, 2, 6, 14}) {
      const Basis basis = Truncated(full, k);
      EXPECT_LE(std::abs(VarianceCaptured(basis) - RSquared(sources.list(), basis)), 1e-6) << k;
    }
  }
}

// Repeats are weights: rows that count three times have the effect of three copies.
TEST(Basis, RepeatsWeighRows) {
  const Tensor a = Decaying(20, 6, 0.8, 15), b = Decaying(25, 6, 0.6, 16);
  const auto matrix_a = MakeMatrix("a", Layout::kOutIn, a), matrix_b = MakeMatrix("b", Layout::kOutIn, b);
  const std::vector<RowSource> repeated = {SourceOf(*matrix_a, 3), SourceOf(*matrix_b)};
  const Sources copied({a, a, a, b});
  const Basis x = ComputeBasis(repeated, 2), y = ComputeBasis(copied.list(), 2);
  EXPECT_EQ(x.rows, 85);
  EXPECT_EQ(y.rows, 85);
  EXPECT_LE(RelativeError(x.mean, y.mean), 4 * kEpsilon);
  EXPECT_LE(RelativeError(x.vectors, y.vectors), 100 * kEpsilon);
  EXPECT_LE(std::abs(RSquared(repeated, x) - RSquared(copied.list(), x)), 10 * kEpsilon);
}

TEST(Basis, TruncatedKeepsTheFirstVectors) {
  const Basis basis = ComputeBasis(Sources({Decaying(40, 8, 0.8, 17)}).list(), 5);
  const Basis two = Truncated(basis, 2);
  EXPECT_EQ(two.vectors.shape(), Shape({2, 8}));
  EXPECT_TRUE(SameBits(two.vectors, basis.vectors.Rows(0, 2)));
  EXPECT_TRUE(SameBits(two.mean, basis.mean));
  EXPECT_EQ(two.eigenvalues, basis.eigenvalues);
  EXPECT_EQ(two.rows, basis.rows);
  EXPECT_TRUE(SameBits(Truncated(basis, 5).vectors, basis.vectors));
  ExpectMessage<std::invalid_argument>([&] { Truncated(basis, 0); }, "[basis] expected K in 1..5, found 0");
  EXPECT_THROW(Truncated(basis, 6), std::invalid_argument);
}

TEST(Basis, ParticipationRatioOfKnownSpectra) {
  EXPECT_DOUBLE_EQ(ParticipationRatio(Doubles(7, 2.5)), 7);
  EXPECT_DOUBLE_EQ(ParticipationRatio({4, 0, 0}), 1);
  EXPECT_DOUBLE_EQ(ParticipationRatio({3, 1}), 16.0 / 10);
  EXPECT_DOUBLE_EQ(ParticipationRatio({2, 2, 0, 0, 0}), 2);
}

TEST(Basis, VarianceCapturedOfKnownSpectra) {
  const auto captured = [](const Doubles& eigenvalues, Index k) {
    const Index d = static_cast<Index>(eigenvalues.size());
    return VarianceCaptured({Tensor({k, d}), Tensor({d}), eigenvalues, 1});
  };
  EXPECT_DOUBLE_EQ(captured({4, 3, 2, 1}, 1), 0.4);
  EXPECT_DOUBLE_EQ(captured({4, 3, 2, 1}, 3), 0.9);
  EXPECT_DOUBLE_EQ(captured({4, 3, 2, 1}, 4), 1);
}

// Unit vectors as rows: the mean row shows which of them were taken, and how often.
class Sampled : public ::testing::Test {
 protected:
  static constexpr Index kRows = 24;

  static Tensor UnitRows() {
    Tensor rows({kRows, kRows});
    for (Index i = 0; i < kRows; ++i) rows.row(i)[i] = 1;
    return rows;
  }
  static Basis Compute(Index rows_per_matrix, uint64_t seed, size_t matrices = 1, int repeats = 1) {
    const Sources sources(std::vector<Tensor>(matrices, UnitRows()), repeats);
    return ComputeBasis(sources.list(), 3, {rows_per_matrix, seed});
  }
};

TEST_F(Sampled, TakesThatManyRowsEachOnce) {
  for (const uint64_t seed : {0, 1, 2, 3}) {
    for (const int repeats : {1, 2}) {
      const Basis basis = Compute(9, seed, 1, repeats);
      EXPECT_EQ(basis.rows, 9 * repeats);
      Index taken = 0;
      for (const Real m : basis.mean) {
        EXPECT_TRUE(m == 0 || m == static_cast<Real>(1.0 / 9)) << m;
        taken += m != 0;
      }
      EXPECT_EQ(taken, 9);
    }
  }
}

TEST_F(Sampled, DependsOnTheSeedOnly) {
  const Basis first = Compute(9, 5), again = Compute(9, 5), other = Compute(9, 6);
  EXPECT_TRUE(SameBits(first.mean, again.mean));
  EXPECT_TRUE(SameBits(first.vectors, again.vectors));
  EXPECT_FALSE(SameBits(first.mean, other.mean));
}

TEST_F(Sampled, TakesOtherRowsOfEveryMatrix) {
  const Basis basis = Compute(9, 5, 2);
  EXPECT_EQ(basis.rows, 18);
  EXPECT_TRUE(std::count(basis.mean.begin(), basis.mean.end(), static_cast<Real>(1.0 / 18)) > 0);
}

TEST_F(Sampled, TakesAllRowsWhenThereAreNotMore) {
  const Basis all = Compute(0, 0);
  EXPECT_EQ(all.rows, kRows);
  for (const Index n : {kRows, kRows + 1, Index{1} << 40}) {
    const Basis basis = Compute(n, 7);
    EXPECT_EQ(basis.rows, kRows);
    EXPECT_TRUE(SameBits(basis.mean, all.mean));
    EXPECT_TRUE(SameBits(basis.vectors, all.vectors));
  }
}

TEST(Basis, RefusesAKThatIsNotWithinTheWidth) {
  const Sources sources({Decaying(20, 6, 0.9, 18)});
  for (const Index k : {Index{0}, Index{-1}, Index{7}, Index{1} << 40}) {
    ExpectMessage<std::invalid_argument>([&] { ComputeBasis(sources.list(), k); },
                                         "[basis] expected K in 1..6 (the model's width), found " + std::to_string(k));
  }
}

TEST(Basis, RefusesAModelWithoutRows) {
  ExpectMessage<std::invalid_argument>([] { ComputeBasis({}, 1); },
                                       "[basis] the model has no matrix with rows of its width");
}

TEST(Basis, StaysOrthonormalWhenRowsAreDeficient) {
  Tensor one_row({1, 8});
  for (Index j = 0; j < 8; ++j) one_row[j] = static_cast<Real>(j);
  Tensor line({20, 8});
  for (Index i = 0; i < line.size(); ++i) line[i] = static_cast<Real>((i / 8) * (i % 8));
  for (const Tensor& rows : {Tensor({20, 8}), one_row, line}) {
    const Sources sources({rows});
    const Basis basis = ComputeBasis(sources.list(), 8);
    EXPECT_LE(OrthonormalityError(basis.vectors), 8 * kEpsilon);
    for (const double value : basis.eigenvalues) EXPECT_TRUE(std::isfinite(value));
    const double scale = std::max(1.0, std::abs(static_cast<double>(rows[rows.size() - 1])));
    const Tensor back = Rebuild(Scores(rows, basis), basis);
    for (Index i = 0; i < rows.size(); ++i) EXPECT_LE(std::abs(back[i] - rows[i]), 32 * kEpsilon * scale);
  }
}

TEST(Basis, HasTheSameBitsForAnyNumberOfThreads) {
  constexpr Index kD = 140;
  const Sources sources({Normal({4500, kD}, 19), Decaying(130, kD, 0.95, 20)});
  SetNumThreads(1);
  const Basis one = ComputeBasis(sources.list(), 9);
  for (const int threads : {2, 3}) {
    SetNumThreads(threads);
    const Basis more = ComputeBasis(sources.list(), 9);
    EXPECT_TRUE(SameBits(one.vectors, more.vectors)) << threads;
    EXPECT_TRUE(SameBits(one.mean, more.mean)) << threads;
    EXPECT_EQ(std::memcmp(one.eigenvalues.data(), more.eigenvalues.data(), kD * sizeof(double)), 0) << threads;
  }
  SetNumThreads(0);
}

}  // namespace
}  // namespace ampgrad::ct
