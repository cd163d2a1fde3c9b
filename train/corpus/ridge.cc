#include "train/corpus/ridge.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "tensor/kernels/eigen/eigen.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::corpus {
namespace {

constexpr uint64_t kFoldStream = 0x666F6C6473;  // "folds"

// A feature with less than this share of its variance within the training folds is constant there.
constexpr double kConstant = 1e-12;

// Each column less its mean, over its deviation; zeros where it is constant.
Doubles Standardised(Doubles x) {
  const double n = static_cast<double>(x.rows);
  for (Index j = 0; j < x.cols; ++j) {
    double mean = 0, square = 0, largest = 0;
    for (Index i = 0; i < x.rows; ++i) mean += x.row(i)[j] / n;
    for (Index i = 0; i < x.rows; ++i) {
      square += (x.row(i)[j] - mean) * (x.row(i)[j] - mean) / n;
      largest = std::max(largest, std::abs(x.row(i)[j]));
    }
    const double deviation = std::sqrt(square);
    const bool constant = deviation <= 1e-14 * largest;  // only the rounding of the mean
    for (Index i = 0; i < x.rows; ++i) x.row(i)[j] = constant ? 0 : (x.row(i)[j] - mean) / deviation;
  }
  return x;
}

// m += factor·x·yᵀ
void AddOuter(double factor, const std::vector<double>& x, const std::vector<double>& y, Doubles& m) {
  for (Index i = 0; i < m.rows; ++i) {
    for (Index j = 0; j < m.cols; ++j) m.row(i)[j] += factor * x[i] * y[j];
  }
}

void AddTo(const std::vector<double>& x, std::vector<double>& sum) {
  for (size_t i = 0; i < x.size(); ++i) sum[i] += x[i];
}

}  // namespace

double Penalty(int i) { return std::pow(10, -4 + 0.5 * i); }

// Sums over the rows of a fold.
struct CrossValidation::TargetSums {
  std::vector<double> y;  // [q]
  Doubles xy;             // XᵀY [p, q]
  double squares = 0;     // ΣΣ y²
};

CrossValidation::CrossValidation(const Doubles& features, uint64_t seed)
    : features_(Standardised(features)), folds_(static_cast<size_t>(features.rows)) {
  if (features.rows < kFewestRows) {
    throw std::invalid_argument("[ridge] expected at least " + std::to_string(kFewestRows) + " rows, found " +
                                std::to_string(features.rows));
  }
  if (!std::all_of(features.values.begin(), features.values.end(), [](double x) { return std::isfinite(x); })) {
    throw std::invalid_argument("[ridge] expected finite features, found NaN or infinity");
  }
  const std::vector<Index> order = Random(seed, kFoldStream).Permutation(features.rows);
  for (Index i = 0; i < features.rows; ++i) folds_[order[i]] = i % kFolds;
  sums_ = SumFolds();
  std::vector<std::array<Index, 2>> left_out;
  for (Index i = 0; i < kFolds; ++i) left_out.push_back({i, i});
  for (Index i = 0; i < kFolds; ++i) {
    for (Index j = i + 1; j < kFolds; ++j) left_out.push_back({i, j});
  }
  for (const auto& [i, j] : left_out) (i == j ? outer_ : inner_).push_back(Train(sums_, i, j));
}

std::vector<CrossValidation::FoldSums> CrossValidation::SumFolds() const {
  const Index p = features_.cols;
  std::vector<FoldSums> sums(kFolds);
  ParallelFor(kFolds, [&](Index fold) {
    FoldSums& sum = sums[fold];
    sum.x.assign(static_cast<size_t>(p), 0.0);
    sum.xx = Doubles(p, p);
    for (Index i = 0; i < rows(); ++i) {
      if (folds_[i] != fold) continue;
      const double* x = features_.row(i);
      ++sum.count;
      for (Index j = 0; j < p; ++j) sum.x[j] += x[j];
      AddProduct(x, x, p, 1, p, sum.xx.values.data());
    }
  });
  return sums;
}

CrossValidation::Training CrossValidation::Train(const std::vector<FoldSums>& sums, Index out, Index also_out) const {
  const Index p = features_.cols;
  Training training{{}, 0, std::vector<double>(static_cast<size_t>(p), 0.0), {}, Doubles(p, p), {}};
  Doubles gram(p, p);
  for (Index fold = 0; fold < kFolds; ++fold) {
    training.uses[fold] = fold != out && fold != also_out;
    if (!training.uses[fold]) continue;
    training.count += sums[fold].count;
    AddTo(sums[fold].x, training.mean);
    AddTo(sums[fold].xx.values, gram.values);
  }
  for (double& x : training.mean) x /= training.count;
  AddOuter(-training.count, training.mean, training.mean, gram);
  std::vector<double> scale(static_cast<size_t>(p));
  for (Index i = 0; i < p; ++i) {
    const double variance = gram.row(i)[i] / training.count;
    scale[i] = variance > kConstant ? 1 / std::sqrt(variance) : 0;
  }
  for (Index i = 0; i < p; ++i) {
    for (Index j = 0; j < p; ++j) gram.row(i)[j] *= scale[i] * scale[j] / training.count;
  }
  SymmetricEigen eigen = DecomposeSymmetric(gram.values, p, p);
  for (const double value : eigen.values) training.eigenvalues.push_back(std::max(0.0, value));
  for (Index i = 0; i < p * p; ++i) training.turn.values[i] = eigen.vectors[i] * scale[i % p];
  for (const Index fold : out == also_out ? std::vector<Index>{out} : std::vector<Index>{out, also_out}) {
    Doubles own = sums[fold].xx;  // Σ(x − mean)(x − mean)ᵀ
    AddOuter(-1, training.mean, sums[fold].x, own);
    AddOuter(-1, sums[fold].x, training.mean, own);
    AddOuter(sums[fold].count, training.mean, training.mean, own);
    training.validated.push_back({fold, Product(Product(training.turn, own), Transposed(training.turn))});
  }
  return training;
}

std::vector<CrossValidation::TargetSums> CrossValidation::SumTargets(const Doubles& targets,
                                                                     const std::vector<Index>& rows) const {
  const Index p = features_.cols, q = targets.cols;
  std::vector<double> mean(static_cast<size_t>(q), 0.0);  // taken away, which changes no error but keeps digits
  for (Index i = 0; i < targets.rows; ++i) {
    for (Index j = 0; j < q; ++j) mean[j] += targets.row(i)[j] / static_cast<double>(targets.rows);
  }
  TargetSums none{std::vector<double>(static_cast<size_t>(q), 0.0), Doubles(p, q)};
  std::vector<TargetSums> sums(kFolds, none);
  std::vector<double> y(static_cast<size_t>(q));
  for (Index i = 0; i < targets.rows; ++i) {
    TargetSums& sum = sums[folds_[i]];
    for (Index j = 0; j < q; ++j) {
      y[j] = targets.row(rows[i])[j] - mean[j];
      sum.y[j] += y[j];
      sum.squares += y[j] * y[j];
    }
    AddProduct(features_.row(i), y.data(), p, 1, q, sum.xy.values.data());
  }
  return sums;
}

// [validated folds][penalties]
std::vector<std::vector<Explained>> CrossValidation::Errors(const Training& training,
                                                            const std::vector<TargetSums>& sums) const {
  const Index p = features_.cols, q = sums[0].xy.cols;
  std::vector<double> mean(static_cast<size_t>(q), 0.0);  // ȳ
  Doubles xy(p, q);
  for (Index fold = 0; fold < kFolds; ++fold) {
    if (!training.uses[fold]) continue;
    AddTo(sums[fold].y, mean);
    AddTo(sums[fold].xy.values, xy.values);
  }
  AddOuter(-1, training.mean, mean, xy);  // Σ(x − mean)yᵀ, and Σ(x − mean)·ȳᵀ = 0
  for (double& x : mean) x /= training.count;
  Doubles c = Product(training.turn, xy);
  for (double& x : c.values) x /= training.count;
  const Doubles cc = Product(c, Transposed(c));

  std::vector<std::vector<Explained>> errors;
  for (const Validated& validated : training.validated) {
    const TargetSums& own = sums[validated.fold];
    const FoldSums& fold = sums_[validated.fold];
    Explained none{0, own.squares};
    for (Index j = 0; j < q; ++j) none.total += mean[j] * (fold.count * mean[j] - 2 * own.y[j]);
    Doubles zy = own.xy;  // Σ(x − mean)(y − ȳ)ᵀ
    AddOuter(-1, training.mean, own.y, zy);
    AddOuter(-1, fold.x, mean, zy);
    AddOuter(fold.count, training.mean, mean, zy);
    zy = Product(training.turn, zy);
    std::vector<double> a(static_cast<size_t>(p), 0.0), w(static_cast<size_t>(p));
    for (Index i = 0; i < p; ++i) {
      for (Index j = 0; j < q; ++j) a[i] += zy.row(i)[j] * c.row(i)[j];
    }
    Doubles quadratic = validated.gram;
    for (Index i = 0; i < p * p; ++i) quadratic.values[i] *= cc.values[i];
    errors.emplace_back();
    for (int penalty = 0; penalty < kPenalties; ++penalty) {
      Explained explained = none;
      explained.error = none.total;
      for (Index i = 0; i < p; ++i) w[i] = 1 / (training.eigenvalues[i] + Penalty(penalty));
      for (Index i = 0; i < p; ++i) {
        double sum = 0;
        for (Index j = 0; j < p; ++j) sum += quadratic.row(i)[j] * w[j];
        explained.error += w[i] * (sum - 2 * a[i]);
      }
      errors.back().push_back(explained);
    }
  }
  return errors;
}

Explained CrossValidation::Predict(const Doubles& targets, const std::vector<Index>& rows) const {
  const std::vector<TargetSums> sums = SumTargets(targets, rows);
  // Error of each fold's four inner validations, for each penalty.
  std::vector<std::array<double, kPenalties>> inner(kFolds, std::array<double, kPenalties>{});
  for (const Training& training : inner_) {
    const std::vector<std::vector<Explained>> errors = Errors(training, sums);
    for (int penalty = 0; penalty < kPenalties; ++penalty) {
      // Folds i and j are both left out: each is validated while the other waits as the outer fold.
      inner[training.validated[1].fold][penalty] += errors[0][penalty].error;
      inner[training.validated[0].fold][penalty] += errors[1][penalty].error;
    }
  }
  Explained all;
  for (const Training& training : outer_) {
    const std::array<double, kPenalties>& tried = inner[training.validated[0].fold];
    const auto best = std::min_element(tried.rbegin(), tried.rend());  // of equals the last, the largest penalty
    all.Add(Errors(training, sums)[0][static_cast<size_t>(tried.rend() - best - 1)]);
  }
  return all;
}

}  // namespace ampgrad::corpus
