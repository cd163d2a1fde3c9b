#include "nn/forms/update_form.h"

#include "tensor/kernels/gemm/widen.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::nn {

Tensor FrozenBase::OutIn() const {
  if (layout == ops::Layout::kOutIn && !weight.tensor().empty()) return weight.tensor();
  Tensor wide = Tensor::Uninitialized({out(), in()});
  kernels::WidenMatrix(out(), in(), kernels::OperandOf(weight, layout == ops::Layout::kInOut), wide.data());
  return wide;
}

Var UpdateForm::Apply(Input& input, const Var* bias) {
  return chain_ == Chain::kExplicit ? MadeForm::Apply(input, bias) : ApplyFactored(input, bias);
}

StoredTensor UpdateForm::Merged() const {
  Tape tape(Tape::Mode::kInference);
  const Tensor w = const_cast<UpdateForm*>(this)->Make(tape).value;  // inference changes nothing
  return StoredTensor(base_.layout == ops::Layout::kOutIn ? w : kernels::Transposed(w));
}

Var UpdateForm::Project(Input& input, const Var& a) {
  return input.Derived(a.value.data(), [&](const Var& x) { return ops::Linear(x, a, ops::Layout::kOutIn, nullptr); });
}

}  // namespace ampgrad::nn
