#include "train/change/weight_change.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "ct/bases.h"
#include "tensor/io/printable.h"
#include "tensor/kernels/eigen/eigen.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "train/change/row_sums.h"
#include "train/change/same_shape.h"

namespace ampgrad::train {
namespace {

// ε of a type: the distance from 1 to the next number; of blocks, their step when the largest number is 1.
double EpsilonOf(StoredType type) {
  switch (type) {
    case StoredType::kF64:
      return std::numeric_limits<double>::epsilon();
    case StoredType::kF32:
      return std::numeric_limits<float>::epsilon();
    case StoredType::kF16:
      return std::ldexp(1, -10);
    case StoredType::kBf16:
    case StoredType::kQ8_0:
      return std::ldexp(1, -7);
    case StoredType::kQ6K:
      return std::ldexp(1, -5);
    case StoredType::kQ5_0:
    case StoredType::kQ5_1:
    case StoredType::kQ5K:
      return std::ldexp(1, -4);
    default:
      return std::ldexp(1, -3);  // four bits
  }
}

ChangeSums Empty(const std::string& name, const std::vector<Index>& ks) {
  ChangeSums sums;
  sums.name = name;
  sums.inside.assign(ks.size(), 0.0);
  return sums;
}

void AddTo(ChangeSums& sums, const ChangeSums& part) {
  sums.count += part.count;
  sums.changed += part.changed;
  sums.weight_squares += part.weight_squares;
  sums.squares += part.squares;
  for (size_t i = 0; i < part.inside.size(); ++i) sums.inside[i] += part.inside[i];
}

// The group of that name, made where there is none.
void AddToGroup(std::vector<ChangeSums>& groups, const std::string& name, const ChangeSums& part) {
  auto it = std::ranges::find(groups, name, &ChangeSums::name);
  if (it == groups.end()) {
    ChangeSums group;
    group.name = name;
    group.inside.assign(part.inside.size(), 0.0);
    it = groups.insert(groups.end(), group);
  }
  AddTo(*it, part);
}

// ‖ΔW‖², or an error that names the part.
double FiniteSquares(const Tensor& change, const std::string& name) {
  const double squares = Sum(SquaresOfRows(change));
  if (squares < std::numeric_limits<double>::infinity()) return squares;
  throw std::runtime_error(name + ": expected a finite change, found one that is not");
}

// The text that a token has within a text: a decoder may drop a space before the first one. Special tokens as spelled.
std::string TokenText(const models::Tokenizer& tokenizer, Index id) {
  constexpr size_t kLongest = 24;
  const int token = static_cast<int>(id);
  const std::string once = tokenizer.Decode({token}), twice = tokenizer.Decode({token, token});
  return io::Shortened(io::Printable(twice.starts_with(once) ? twice.substr(once.size()) : once), kLongest);
}

// What is gathered of one matrix, block by block.
struct Gathered {
  MatrixChange change;
  bool tall;                          // n >= d: the Gram matrix is ΔWᵀΔW, else ΔWΔWᵀ
  std::vector<double> gram;           // [min(n, d), min(n, d)]
  RoundingNorm rounding;              // of W after
  std::vector<double> scored, moved;  // ‖Δs‖² and ‖Δw‖² of each row
};

// Walks over the matrices of two models.
class Comparing {
 public:
  Comparing(const ct::Basis& basis, const ChangeOptions& options);

  void Add(const ct::RowSource& before, const ct::RowSource& after);
  // What the policy leaves out.
  void AddOutside(const std::string& name, const Tensor& before, const Tensor& after);
  WeightChange Finish();

 private:
  Gathered Gather(const ct::RowSource& before, const ct::RowSource& after);
  void AddBlock(const Tensor& change, Index begin, Gathered& gathered);
  void AddSpectrum(const std::vector<double>& gram, Index side, Index rows, double rounding, const ChangeSums& sums,
                   ChangeSpectrum& spectrum, std::vector<SpanShare>& shares) const;
  void KeepTopRows(const Gathered& gathered, const ct::RowSource& source);

  const ct::Basis& basis_;
  const ChangeOptions& options_;
  const Index d_;
  std::vector<double> stack_;  // ΣΔWᵀΔW [d, d]
  RoundingNorm rounding_;      // of all matrices stacked
  Index rows_ = 0;             // of all matrices
  WeightChange result_;
};

Comparing::Comparing(const ct::Basis& basis, const ChangeOptions& options)
    : basis_(basis), options_(options), d_(basis.width()), stack_(static_cast<size_t>(d_ * d_), 0.0), rounding_(d_) {
  result_.width = d_;
  result_.k = basis.k();
  result_.ks = options.ks;
  result_.all = Empty("all", options.ks);
}

// A block of ΔW that is not zero, from row `begin` on; all of ΔW unless it is tall.
void Comparing::AddBlock(const Tensor& change, Index begin, Gathered& gathered) {
  ct::AddGramInDouble(gathered.tall ? change : kernels::Transposed(change), gathered.gram);
  if (!gathered.tall) ct::AddGramInDouble(change, stack_);
  Tensor scores = Tensor::Uninitialized({change.rows(), basis_.k()});
  kernels::ProductNT(change, basis_.vectors, {scores.data()});
  const std::vector<double> columns = SquaresOfColumns(scores);
  for (size_t i = 0; i < options_.ks.size(); ++i) {
    for (Index k = 0; k < options_.ks[i]; ++k) gathered.change.sums.inside[i] += columns[k];
  }
  std::ranges::copy(SquaresOfRows(scores), gathered.scored.begin() + begin);
  std::ranges::copy(SquaresOfRows(change), gathered.moved.begin() + begin);
}

Gathered Comparing::Gather(const ct::RowSource& before, const ct::RowSource& after) {
  const std::string& name = before.matrix->name;
  const double epsilon = EpsilonOf(after.matrix->form->Merged().type());
  const ct::RowReader old_rows(before), new_rows(after);
  const Index n = old_rows.count(), side = std::min(n, d_);
  Gathered gathered{
      .change = {.sums = Empty(name, options_.ks), .kind = ct::TypeOf(name), .layer = ct::LayerOf(name), .rows = n},
      .tall = n >= d_,
      .gram = std::vector<double>(static_cast<size_t>(side * side), 0.0),
      .rounding = RoundingNorm(d_),
      .scored = std::vector<double>(static_cast<size_t>(n), 0.0),
      .moved = std::vector<double>(static_cast<size_t>(n), 0.0)};
  ChangeSums& sums = gathered.change.sums;
  const Index step = gathered.tall ? ct::kGramRows : n;
  for (Index begin = 0; begin < n; begin += step) {
    const Index end = std::min(n, begin + step);
    const Tensor from = old_rows.Rows(begin, end), to = new_rows.Rows(begin, end), block = Difference(to, from);
    sums.weight_squares += Sum(SquaresOfRows(from));
    const double longest = std::ranges::max(SquaresOfRows(to));
    const std::vector<double> columns = SquaresOfColumns(to);
    gathered.rounding.Add(epsilon, longest, columns);
    rounding_.Add(epsilon, longest, columns);
    const double squares = FiniteSquares(block, name);
    sums.squares += squares;
    if (squares > 0) AddBlock(block, begin, gathered);
  }
  sums.count = 1;
  sums.changed = sums.squares > 0;
  return gathered;
}

void Comparing::AddSpectrum(const std::vector<double>& gram, Index side, Index rows, double rounding,
                            const ChangeSums& sums, ChangeSpectrum& spectrum, std::vector<SpanShare>& shares) const {
  const std::vector<double> eigenvalues = DecomposeSymmetric(gram, side, 0).values;
  spectrum = SpectrumOf(eigenvalues, rows, d_, rounding);
  const double total = Sum(eigenvalues);
  for (size_t i = 0; i < options_.ks.size(); ++i) {
    const Index k = options_.ks[i];
    const auto end = eigenvalues.begin() + std::min(k, side);
    const double best = std::accumulate(eigenvalues.begin(), end, 0.0) / total;
    shares.push_back({k, sums.Share(i), ShareOfRandomSpan(k, d_, spectrum.participation_ratio), std::min(1.0, best)});
  }
}

void Comparing::Add(const ct::RowSource& before, const ct::RowSource& after) {
  Gathered gathered = Gather(before, after);
  MatrixChange& change = gathered.change;
  rows_ += change.rows;
  AddTo(result_.all, change.sums);
  AddToGroup(result_.kinds, change.kind, change.sums);
  AddToGroup(result_.layers, change.layer < 0 ? "none" : std::to_string(change.layer), change.sums);
  if (change.sums.squares == 0) return;
  if (gathered.tall) {
    for (size_t i = 0; i < stack_.size(); ++i) stack_[i] += gathered.gram[i];
  }
  AddSpectrum(gathered.gram, std::min(change.rows, d_), change.rows, gathered.rounding.Value(), change.sums,
              change.spectrum, change.shares);
  KeepTopRows(gathered, before);
  result_.matrices.push_back(std::move(change));
}

// Of rows with one score change, the first in the model's order stands first.
void Comparing::KeepTopRows(const Gathered& gathered, const ct::RowSource& source) {
  const auto higher = [&](Index i, Index j) {
    return gathered.scored[i] != gathered.scored[j] ? gathered.scored[i] > gathered.scored[j] : i < j;
  };
  std::vector<Index> order(gathered.scored.size());
  std::iota(order.begin(), order.end(), Index{0});
  const size_t count = std::min(options_.top, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<Index>(count), order.end(), higher);
  const bool vocabulary = source.matrix->kind == nn::MatrixKind::kVocabulary;
  for (size_t i = 0; i < count && gathered.scored[order[i]] > 0; ++i) {
    const Index row = order[i];
    RowChange top{source.matrix->name, row,
                  vocabulary                             ? "token"
                  : source.layout == ops::Layout::kInOut ? "input"
                                                         : "output",
                  std::sqrt(gathered.scored[row]), std::sqrt(gathered.moved[row])};
    if (vocabulary && options_.tokenizer) top.token = TokenText(*options_.tokenizer, row);
    result_.top_rows.push_back(top);
    if (vocabulary) result_.top_tokens.push_back(top);
  }
  for (std::vector<RowChange>* list : {&result_.top_rows, &result_.top_tokens}) {
    std::ranges::stable_sort(*list, std::greater(), &RowChange::score_change);
    if (list->size() > options_.top) list->resize(options_.top);
  }
}

void Comparing::AddOutside(const std::string& name, const Tensor& before, const Tensor& after) {
  const double squares = FiniteSquares(Difference(after, before), name);
  ChangeSums part;
  part.count = 1;
  part.changed = squares > 0;
  part.weight_squares = Sum(SquaresOfRows(before));
  part.squares = squares;
  AddTo(result_.outside, part);
}

WeightChange Comparing::Finish() {
  result_.outside.name = "outside";
  if (result_.all.squares > 0) {
    AddSpectrum(stack_, d_, rows_, rounding_.Value(), result_.all, result_.stacked, result_.shares);
  }
  return std::move(result_);
}

void CheckBasis(const ct::Basis& basis, Index width, const std::vector<Index>& ks) {
  if (basis.width() != width) {
    throw std::invalid_argument("[change] expected a basis of the model's width " + std::to_string(width) +
                                ", found one of " + std::to_string(basis.width()));
  }
  for (const Index k : ks) {
    if (k >= 1 && k <= basis.k()) continue;
    throw std::invalid_argument("[change] expected K in 1.." + std::to_string(basis.k()) + " (the basis), found " +
                                std::to_string(k));
  }
}

}  // namespace

double ChangeSums::Norm() const { return std::sqrt(squares); }

double ChangeSums::Relative() const { return std::sqrt(squares / weight_squares); }

double ChangeSums::Share(size_t i) const { return squares > 0 ? inside[i] / squares : 0; }

WeightChange CompareWeights(models::LanguageModel& before, models::LanguageModel& after, const ct::Basis& basis,
                            const ChangeOptions& options) {
  const nn::Parts old_parts = before.Parts(), new_parts = after.Parts();
  RequireSameShape(old_parts, new_parts);
  CheckBasis(basis, before.width(), options.ks);
  Comparing comparing(basis, options);
  const auto old_sources = ct::SelectRows(old_parts.matrices, before.width(), options.policy);
  const auto new_sources = ct::SelectRows(new_parts.matrices, before.width(), options.policy);
  size_t next = 0;
  for (size_t i = 0; i < old_parts.matrices.size(); ++i) {
    nn::Matrix& matrix = *old_parts.matrices[i];
    if (next < old_sources.size() && old_sources[next].matrix == &matrix) {
      comparing.Add(old_sources[next], new_sources[next]);
      ++next;
    } else {
      comparing.AddOutside(matrix.name, matrix.form->Merged().Widened(),
                           new_parts.matrices[i]->form->Merged().Widened());
    }
  }
  for (size_t i = 0; i < old_parts.vectors.size(); ++i) {
    comparing.AddOutside(old_parts.vectors[i]->name, old_parts.vectors[i]->value, new_parts.vectors[i]->value);
  }
  return comparing.Finish();
}

}  // namespace ampgrad::train
