#include "nn/forms/core.h"

#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::nn {

Core::Core(FrozenBase base, Tensor b, Tensor r, Tensor a, Chain chain) : UpdateForm(std::move(base), chain) {
  const std::string& name = UpdateForm::base().name;
  r_ = {"R." + name, std::move(r), {}};
  a_ = {"A." + name, std::move(a), {}, false};
  b_ = {"B." + name, std::move(b), {}, false};
}

Var Core::Make(Tape& tape) {
  const Var product = ops::Linear(tape.Leaf(r_), tape.Leaf(a_), ops::Layout::kInOut, nullptr);  // R·A
  return ops::AddProduct(base().OutIn(), tape.Leaf(b_), product);
}

Var Core::ApplyFactored(Input& input, const Var* bias) {
  Tape& tape = *input.x().tape;
  const Var narrow = ops::Linear(Project(input, tape.Leaf(a_)), tape.Leaf(r_), ops::Layout::kOutIn, nullptr);
  return ops::LowRankLinear(input.x(), base().weight, base().layout, narrow, tape.Leaf(b_), bias);
}

std::optional<Factors> Core::Update() const {
  Tensor b = Tensor::Uninitialized(b_.value.shape());
  kernels::ProductNN(b_.value, r_.value, {b.data()});
  return Factors{a_.value, b};
}

}  // namespace ampgrad::nn
