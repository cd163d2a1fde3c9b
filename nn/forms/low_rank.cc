#include "nn/forms/low_rank.h"

#include <algorithm>

#include "nn/forms/draws.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::nn {

namespace {

// W₀, or W₀ − s·B·A.
FrozenBase Residual(FrozenBase base, const std::optional<Factors>& taken) {
  if (!taken) return base;
  Tape tape(Tape::Mode::kInference);
  const Var b = ops::Scale(tape.Constant(taken->b), -taken->scale);
  const Tensor w = ops::AddProduct(base.OutIn(), b, tape.Constant(taken->a)).value;
  base.weight = StoredTensor(base.layout == ops::Layout::kOutIn ? w : kernels::Transposed(w));
  return base;
}

// Two matrices, one below the other.
Tensor Stacked(const Tensor& x, const Tensor& y) {
  Tensor stacked = Tensor::Uninitialized({x.rows() + y.rows(), x.cols()});
  std::copy(y.begin(), y.end(), std::copy(x.begin(), x.end(), stacked.begin()));
  return stacked;
}

}  // namespace

LowRank::LowRank(FrozenBase base, Factors factors, TrainedFactors trained, Chain chain,
                 const std::optional<Factors>& first)
    : UpdateForm(Residual(std::move(base), first), chain), scale_(factors.scale) {
  const std::string& name = UpdateForm::base().name;
  if (first) {
    first_a_ = {"first_A." + name, first->a, {}, false};
    first_b_ = {"first_B." + name, first->b, {}, false};
  }
  a_ = {"A." + name, std::move(factors.a), {}, trained != TrainedFactors::kB};
  b_ = {"B." + name, std::move(factors.b), {}, trained != TrainedFactors::kA};
}

std::vector<FormPart> LowRank::Parts() {
  std::vector<FormPart> parts = {{"A", &a_}, {"B", &b_}};
  if (!first_a_.value.empty()) parts.insert(parts.end(), {{"first_A", &first_a_}, {"first_B", &first_b_}});
  return parts;
}

Var LowRank::Make(Tape& tape) {
  return ops::AddProduct(base().OutIn(), ops::Scale(tape.Leaf(b_), scale_), tape.Leaf(a_));
}

Var LowRank::ApplyFactored(Input& input, const Var* bias) {
  Tape& tape = *input.x().tape;
  const Var a = tape.Leaf(a_);
  const bool drops = dropout_ > 0 && tape.noise();
  const Var narrow = drops ? ops::Linear(ops::Dropout(input.x(), dropout_, RandomOf(base().name, *tape.noise())), a,
                                         ops::Layout::kOutIn, nullptr)
                           : Project(input, a);
  const Var projection = ops::Scale(narrow, scale_);
  return ops::LowRankLinear(input.x(), base().weight, base().layout, projection, tape.Leaf(b_), bias);
}

// s·(B·A − B'·A') = s·(B | −B')·(A over A'), of twice the rank.
std::optional<Factors> LowRank::Update() const {
  if (first_a_.value.empty()) return Factors{a_.value, b_.value, scale_};
  Tensor taken = kernels::Transposed(first_b_.value);
  kernels::Scale(-1, taken.data(), taken.size());
  const Tensor b = kernels::Transposed(Stacked(kernels::Transposed(b_.value), taken));
  return Factors{Stacked(a_.value, first_a_.value), b, scale_};
}

}  // namespace ampgrad::nn
