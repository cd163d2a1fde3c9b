#include "nn/matrix.h"

namespace ampgrad::nn {

Matrix::Matrix(std::string name, Role role, ops::Layout layout, Index out, Index in)
    : name(std::move(name)), role(role), layout(layout), out(out), in(in) {
  form = std::make_unique<Dense>(this->name, Tensor(StoredShape()), layout);
}

Shape Matrix::StoredShape() const { return layout == ops::Layout::kOutIn ? Shape{out, in} : Shape{in, out}; }

}  // namespace ampgrad::nn
