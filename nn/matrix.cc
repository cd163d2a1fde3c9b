#include "nn/matrix.h"

namespace ampgrad::nn {

Var Multiply(const Var& x, const Weight& w, const Var* bias) {
  return w.frozen ? ops::FrozenLinear(x, *w.frozen, w.layout, bias) : ops::Linear(x, w.value, w.layout, bias);
}

Var Lookup(Tape& tape, const Weight& table, const std::vector<int>& ids) {
  return table.frozen ? tape.Constant(ops::FrozenRows(*table.frozen, ids)) : ops::Embedding(table.value, ids);
}

const Var& Input::Derived(const void* key, const std::function<Var(const Var& x)>& make) {
  const auto found = derived_.find(key);
  return found != derived_.end() ? found->second : derived_.emplace(key, make(x_)).first->second;
}

Var WeightForm::Apply(Input& input, const Var* bias) { return Multiply(input.x(), Make(*input.x().tape), bias); }

Matrix::Matrix(std::string name, Role role, ops::Layout layout, Index out, Index in)
    : name(std::move(name)), role(role), layout(layout), out(out), in(in) {}

void Matrix::MakeTrainable() { form = std::make_unique<Dense>(name, form->Merged(), layout); }

void Matrix::CopyFrom(const Matrix& other) {
  if (const Bf16Tensor* frozen = other.form->Frozen()) {
    form = std::make_unique<FrozenBf16>(*frozen, layout);
  } else {
    form = std::make_unique<Dense>(name, other.form->Merged().Clone(), layout);
  }
}

Shape Matrix::StoredShape() const { return layout == ops::Layout::kOutIn ? Shape{out, in} : Shape{in, out}; }

}  // namespace ampgrad::nn
