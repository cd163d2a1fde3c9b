#include "train/corpus/ridge.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "tensor/kernels/eigen/eigen.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::corpus {
namespace {

constexpr uint64_t kFoldStream = 0x666F6C6473;  // "folds"

// A feature with less than this share of its variance within the training folds is constant there.
constexpr double kConstant = 1e-12;

// An eigenvalue below this share of the largest is rounding: no row of the training folds has a part there.
constexpr double kNoPart = 1e-14;

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

double Penalty(int i) { return std::pow(10, -3.5 + 0.5 * i); }

// Sums over the rows of a fold.
struct CrossValidation::TargetSums {
  std::vector<double> y;  // [q]
  Doubles xy;             // XᵀY [p, q]
  double squares = 0;     // ΣΣ y²
};

CrossValidation::CrossValidation(const Doubles& features, uint64_t seed) : rows_(features.rows), width_(features.cols) {
  if (rows_ < kFewestRows) {
    throw std::invalid_argument("[ridge] expected at least " + std::to_string(kFewestRows) + " rows, found " +
                                std::to_string(rows_));
  }
  if (!std::all_of(features.values.begin(), features.values.end(), [](double x) { return std::isfinite(x); })) {
    throw std::invalid_argument("[ridge] expected finite features, found NaN or infinity");
  }
  const std::vector<Index> order = Random(seed, kFoldStream).Permutation(rows_);
  std::vector<std::vector<Index>> rows(kFolds);
  for (Index i = 0; i < rows_; ++i) rows[i % kFolds].push_back(order[i]);
  const Doubles standardised = Standardised(features);  // a change of units that keeps digits
  folds_.resize(kFolds);
  ParallelFor(kFolds, [&](Index fold) { folds_[fold] = MakeFold(standardised, rows[fold]); });
  for (Index i = 0; i < kFolds; ++i) outer_.push_back(Train(i, i));
  for (Index i = 0; i < kFolds; ++i) {
    for (Index j = i + 1; j < kFolds; ++j) inner_.push_back(Train(i, j));
  }
}

std::vector<Index> CrossValidation::FoldOfEachRow() const {
  std::vector<Index> fold_of(static_cast<size_t>(rows_));
  for (Index fold = 0; fold < kFolds; ++fold) {
    for (const Index row : folds_[fold].rows) fold_of[row] = fold;
  }
  return fold_of;
}

CrossValidation::Fold CrossValidation::MakeFold(const Doubles& features, std::vector<Index> rows) {
  const Index p = features.cols, n = static_cast<Index>(rows.size());
  Doubles x(n, p);
  std::vector<double> sum(static_cast<size_t>(p), 0.0);
  for (Index i = 0; i < n; ++i) {
    std::copy_n(features.row(rows[i]), p, x.row(i));
    for (Index j = 0; j < p; ++j) sum[j] += x.row(i)[j];
  }
  Doubles transposed = Transposed(x), xx = Product(transposed, x);
  return {std::move(rows), std::move(transposed), std::move(sum), std::move(xx)};
}

CrossValidation::Training CrossValidation::Train(Index out, Index also_out) const {
  const Index p = width_;
  Training training{{}, 0, std::vector<double>(static_cast<size_t>(p), 0.0), {}, {}, {}};
  Doubles gram(p, p);
  for (Index fold = 0; fold < kFolds; ++fold) {
    training.uses[fold] = fold != out && fold != also_out;
    if (!training.uses[fold]) continue;
    training.count += folds_[fold].count();
    AddTo(folds_[fold].x, training.mean);
    AddTo(folds_[fold].xx.values, gram.values);
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
  const SymmetricEigen eigen = DecomposeSymmetric(gram.values, p, p);
  const Index rank = std::count_if(eigen.values.begin(), eigen.values.end(),
                                   [&](double value) { return value > kNoPart * eigen.values[0]; });
  training.turn = Doubles(rank, p);
  training.weights = Doubles(rank, kPenalties);
  for (Index i = 0; i < rank; ++i) {
    for (Index j = 0; j < p; ++j) training.turn.row(i)[j] = eigen.vectors[i * p + j] * scale[j];
    for (int penalty = 0; penalty < kPenalties; ++penalty) {
      training.weights.row(i)[penalty] = 1 / (eigen.values[i] + Penalty(penalty));
    }
  }
  for (const Index fold : out == also_out ? std::vector<Index>{out} : std::vector<Index>{out, also_out}) {
    Doubles own = folds_[fold].xx;  // Σ(x − mean)(x − mean)ᵀ
    AddOuter(-1, training.mean, folds_[fold].x, own);
    AddOuter(-1, folds_[fold].x, training.mean, own);
    AddOuter(folds_[fold].count(), training.mean, training.mean, own);
    training.validated.push_back({fold, Product(Product(training.turn, own), Transposed(training.turn))});
  }
  return training;
}

std::vector<CrossValidation::TargetSums> CrossValidation::SumTargets(const Doubles& targets,
                                                                     const std::vector<Index>& rows) const {
  const Index p = width_, q = targets.cols;
  std::vector<double> mean(static_cast<size_t>(q), 0.0);  // taken away, which changes no error but keeps digits
  for (Index i = 0; i < targets.rows; ++i) {
    for (Index j = 0; j < q; ++j) mean[j] += targets.row(i)[j] / static_cast<double>(targets.rows);
  }
  std::vector<TargetSums> sums;
  for (const Fold& fold : folds_) {
    TargetSums sum{std::vector<double>(static_cast<size_t>(q), 0.0), Doubles(p, q)};
    Doubles y(static_cast<Index>(fold.rows.size()), q);
    for (Index i = 0; i < y.rows; ++i) {
      for (Index j = 0; j < q; ++j) {
        const double value = targets.row(rows[fold.rows[i]])[j] - mean[j];
        y.row(i)[j] = value;
        sum.y[j] += value;
        sum.squares += value * value;
      }
    }
    AddProduct(fold.features.values.data(), y.values.data(), p, y.rows, q, sum.xy.values.data());
    sums.push_back(std::move(sum));
  }
  return sums;
}

// [validated folds][penalties]
std::vector<std::vector<Explained>> CrossValidation::Errors(const Training& training,
                                                            const std::vector<TargetSums>& sums) const {
  const Index p = width_, q = sums[0].xy.cols;
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
    const Fold& fold = folds_[validated.fold];
    double total = own.squares;
    for (Index j = 0; j < q; ++j) total += mean[j] * (fold.count() * mean[j] - 2 * own.y[j]);
    errors.emplace_back(kPenalties, Explained{total, total});
    Doubles zy = own.xy;  // Σ(x − mean)(y − ȳ)ᵀ
    AddOuter(-1, training.mean, own.y, zy);
    AddOuter(-1, fold.x, mean, zy);
    AddOuter(fold.count(), training.mean, mean, zy);
    zy = Product(training.turn, zy);
    Doubles quadratic = validated.gram;
    for (size_t i = 0; i < quadratic.values.size(); ++i) quadratic.values[i] *= cc.values[i];
    const Doubles weighted = Product(quadratic, training.weights);
    for (Index i = 0; i < c.rows; ++i) {
      double a = 0;
      for (Index j = 0; j < q; ++j) a += zy.row(i)[j] * c.row(i)[j];
      for (Index penalty = 0; penalty < kPenalties; ++penalty) {
        errors.back()[penalty].error += training.weights.row(i)[penalty] * (weighted.row(i)[penalty] - 2 * a);
      }
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
