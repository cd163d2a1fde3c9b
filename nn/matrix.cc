#include "nn/matrix.h"

namespace ampgrad::nn {

const Var& Input::Derived(const void* key, const std::function<Var(const Var& x)>& make) {
  const auto found = derived_.find(key);
  return found != derived_.end() ? found->second : derived_.emplace(key, make(x_)).first->second;
}

Var WeightForm::Apply(Input& input, const Var* bias) {
  const Weight w = Make(*input.x().tape);
  return ops::Linear(input.x(), w.value, w.layout, bias);
}

Matrix::Matrix(std::string name, Role role, ops::Layout layout, Index out, Index in)
    : name(std::move(name)), role(role), layout(layout), out(out), in(in) {
  form = std::make_unique<Dense>(this->name, Tensor(StoredShape()), layout);
}

Shape Matrix::StoredShape() const { return layout == ops::Layout::kOutIn ? Shape{out, in} : Shape{in, out}; }

}  // namespace ampgrad::nn
