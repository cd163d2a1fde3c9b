#include "nn/forms/low_rank.h"

#include "tensor/kernels/kernels.h"

namespace ampgrad::nn {

namespace {

// W₀, or W₀ − s·B·A.
FrozenBase Residual(FrozenBase base, const Factors& factors) {
  if (factors.at_start == Factors::AtStart::kSum) return base;
  const bool out_in = base.layout == ops::Layout::kOutIn;
  Tape tape(Tape::Mode::kInference);
  const Var b = ops::Scale(tape.Constant(factors.b), -factors.scale), a = tape.Constant(factors.a);
  const Tensor w = ops::AddProduct(base.OutIn(), b, a).value;
  base.weight = StoredTensor(out_in ? w : kernels::Transposed(w));
  return base;
}

}  // namespace

LowRank::LowRank(FrozenBase base, Factors factors, TrainedFactors trained, Chain chain)
    : UpdateForm(Residual(std::move(base), factors), chain), scale_(factors.scale) {
  const std::string& name = UpdateForm::base().name;
  if (factors.at_start == Factors::AtStart::kBase) {
    first_a_ = {"first_A." + name, factors.a.Clone(), {}, false};
    first_b_ = {"first_B." + name, factors.b.Clone(), {}, false};
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
  const Var projection = ops::Scale(Project(input, tape.Leaf(a_)), scale_);
  return ops::LowRankLinear(input.x(), base().weight, base().layout, projection, tape.Leaf(b_), bias);
}

}  // namespace ampgrad::nn
