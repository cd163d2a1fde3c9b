#include "nn/forms/shared_scaled.h"

namespace ampgrad::nn {

SharedScaled::SharedScaled(FrozenBase base, Factors factors, Tensor b, Tensor d, Chain chain)
    : UpdateForm(std::move(base), chain) {
  const std::string& name = UpdateForm::base().name;
  scale_b_ = {"b." + name, std::move(b), {}};
  scale_d_ = {"d." + name, std::move(d), {}};
  a_ = {"A." + name, std::move(factors.a), {}, false};
  b_ = {"B." + name, std::move(factors.b), {}, false};
}

Var SharedScaled::Make(Tape& tape) {
  return ops::AddProduct(base().OutIn(), ops::ScaleRows(tape.Leaf(b_), tape.Leaf(scale_b_)),
                         ops::ScaleRows(tape.Leaf(a_), tape.Leaf(scale_d_)));
}

Var SharedScaled::ApplyFactored(Input& input, const Var* bias) {
  Tape& tape = *input.x().tape;
  const Var narrow = ops::ScaleColumns(Project(input, tape.Leaf(a_)), tape.Leaf(scale_d_), nullptr);
  const Var b = ops::ScaleRows(tape.Leaf(b_), tape.Leaf(scale_b_));
  return ops::LowRankLinear(input.x(), base().weight, base().layout, narrow, b, bias);
}

std::optional<Factors> SharedScaled::Update() const {
  Tape tape(Tape::Mode::kInference);
  const auto scaled = [&](const Param& rows, const Param& by) {
    return ops::ScaleRows(tape.Constant(rows.value), tape.Constant(by.value)).value;
  };
  return Factors{scaled(a_, scale_d_), scaled(b_, scale_b_)};
}

}  // namespace ampgrad::nn
