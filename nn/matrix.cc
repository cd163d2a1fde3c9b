#include "nn/matrix.h"

#include "nn/forms/dense.h"
#include "nn/forms/frozen.h"

namespace ampgrad::nn {

Matrix::Matrix(std::string name, MatrixKind kind, ops::Layout layout, Index out, Index in)
    : name(std::move(name)), kind(kind), layout(layout), out(out), in(in) {}

void Matrix::MakeTrainable() { form = std::make_unique<Dense>(name, form->Merged().Widened(), layout); }

void Matrix::CopyFrom(const Matrix& other) {
  const StoredTensor weight = other.form->Merged();
  if (other.HasParameters()) {
    form = std::make_unique<Dense>(name, weight.Widened().Clone(), layout);
  } else {
    form = std::make_unique<Frozen>(weight, layout);
  }
}

Shape Matrix::StoredShape() const { return layout == ops::Layout::kOutIn ? Shape{out, in} : Shape{in, out}; }

}  // namespace ampgrad::nn
