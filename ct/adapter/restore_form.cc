#include "ct/adapter/restore_form.h"

#include <stdexcept>

#include "nn/forms/core.h"
#include "nn/forms/dense.h"
#include "nn/forms/dora.h"
#include "nn/forms/shared_scaled.h"
#include "nn/forms/sparse.h"

namespace ampgrad::ct {
namespace {

using nn::Factors;

// Takes parts and numbers of a form one by one, and refuses what does not fit.
class Taker {
 public:
  Taker(const SavedForm& saved, const nn::Matrix& matrix) : saved_(saved), matrix_(matrix), left_(saved.parts) {}

  Tensor Part(const std::string& role, const Shape& shape) {
    const auto found = left_.find(role);
    if (found == left_.end()) Fail("the part " + role + " " + shape.ToString(), "none");
    const Tensor part = found->second;
    if (part.shape() != shape) Fail(role + " of shape " + shape.ToString(), part.shape().ToString());
    left_.erase(found);
    return part;
  }
  /// The rows of a part [rows, cols]; 0 when it is missing.
  Index RowsOf(const std::string& role) const {
    const auto found = left_.find(role);
    return found == left_.end() ? 0 : found->second.rows();
  }
  double Number(const std::string& name) const {
    const auto found = saved_.numbers.find(name);
    if (found == saved_.numbers.end()) Fail("the number " + name, "none");
    return found->second;
  }
  void RequireNothingLeft() const {
    if (!left_.empty()) Fail("no part beside those of the form " + saved_.form, left_.begin()->first);
  }
  [[noreturn]] void Fail(const std::string& expected, const std::string& found) const {
    throw std::invalid_argument(matrix_.name + ": expected " + expected + ", found " + found);
  }

 private:
  const SavedForm& saved_;
  const nn::Matrix& matrix_;
  std::map<std::string, Tensor> left_;
};

Factors TakeFactors(Taker& take, const nn::Matrix& matrix, const char* a, const char* b, double scale) {
  const Index r = take.RowsOf(a);
  return {take.Part(a, {r, matrix.in}), take.Part(b, {matrix.out, r}), static_cast<Real>(scale)};
}

}  // namespace

std::unique_ptr<nn::WeightForm> FormRestorer::MakeAmplitude(const SavedForm& saved, nn::Matrix& matrix) {
  Taker take(saved, matrix);
  const bool exact = take.Number("exact") != 0, out_in = take.Number("rows_are_outputs") != 0;
  const Index rows = out_in ? matrix.out : matrix.in, d = out_in ? matrix.in : matrix.out, k = take.RowsOf("basis");
  const Tensor vectors = take.Part("basis", {k, d}), mean = take.Part("mean", {d});
  const Tensor scores = take.Part("scores", {rows, k});
  take.RequireNothingLeft();
  const nn::Chain chain = matrix.kind == nn::MatrixKind::kBlock ? chain_ : nn::Chain::kExplicit;  // as UseAmplitude
  std::shared_ptr<const AmplitudeSetup>& setup = setups_[{vectors.data(), k, exact, chain}];
  if (!setup) {
    const auto basis = std::make_shared<const Basis>(Basis{vectors, mean, std::vector<double>(d, 0.0), 0});
    setup = std::make_shared<const AmplitudeSetup>(basis, exact ? Start::kExact : Start::kReconstructed, chain);
  }
  const RowSource source{&matrix, out_in ? ops::Layout::kOutIn : ops::Layout::kInOut, rows, 1};
  return std::make_unique<Amplitude>(source, setup, scores);
}

std::unique_ptr<nn::WeightForm> FormRestorer::Make(const SavedForm& saved, nn::Matrix& matrix) {
  if (saved.form == "amplitude") return MakeAmplitude(saved, matrix);
  Taker take(saved, matrix);
  std::unique_ptr<nn::WeightForm> form;
  if (saved.form == "dense") {
    form = std::make_unique<nn::Dense>(matrix.name, take.Part("weight", matrix.StoredShape()), matrix.layout);
  } else if (saved.form == "low_rank") {
    const double scale = take.Number("scale");
    std::optional<Factors> first;
    if (take.RowsOf("first_A") > 0) first = TakeFactors(take, matrix, "first_A", "first_B", scale);
    form = std::make_unique<nn::LowRank>(matrix.Base(), TakeFactors(take, matrix, "A", "B", scale),
                                         nn::TrainedFactors::kBoth, chain_, first);
  } else if (saved.form == "dora") {
    const Factors factors = TakeFactors(take, matrix, "A", "B", take.Number("scale"));
    form = std::make_unique<nn::Dora>(matrix.Base(), factors, take.Part("m", {matrix.out}), chain_);
  } else if (saved.form == "core") {
    const Factors factors = TakeFactors(take, matrix, "A", "B", 1);
    const Index r = factors.a.rows();
    form = std::make_unique<nn::Core>(matrix.Base(), factors.b, take.Part("R", {r, r}), factors.a, chain_);
  } else if (saved.form == "shared_scaled") {
    const Factors factors = TakeFactors(take, matrix, "A", "B", 1);
    const Index r = factors.a.rows();
    const Tensor b = take.Part("b", {matrix.out}), d = take.Part("d", {r});
    form = std::make_unique<nn::SharedScaled>(matrix.Base(), factors, b, d, chain_);
  } else if (saved.form == "sparse") {
    const auto found = saved.parts.find("values");
    const Index count = found == saved.parts.end() ? 0 : found->second.size(), most = matrix.out * matrix.in;
    if (count < 1 || count > most) take.Fail("1 to " + std::to_string(most) + " values", std::to_string(count));
    const double seed = take.Number("seed");
    if (!(seed >= 0 && seed <= 1e15)) take.Fail("a seed in 0..1e15", std::to_string(seed));
    form = std::make_unique<nn::Sparse>(matrix.Base(), static_cast<uint64_t>(seed), take.Part("values", {count}));
  } else {
    take.Fail("a form that exists", saved.form);
  }
  take.RequireNothingLeft();
  return form;
}

void FormRestorer::Restore(const SavedForm& saved, nn::Matrix& matrix) {
  std::unique_ptr<nn::WeightForm> form = Make(saved, matrix);
  for (const nn::FormPart& part : form->Parts()) part.param->trainable = saved.trained.contains(part.role);
  matrix.form = std::move(form);
}

}  // namespace ampgrad::ct
