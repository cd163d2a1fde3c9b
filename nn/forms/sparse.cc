#include "nn/forms/sparse.h"

namespace ampgrad::nn {

Sparse::Sparse(FrozenBase base, std::vector<Index> positions, Tensor values)
    : UpdateForm(std::move(base), Chain::kExplicit),
      positions_(std::make_shared<const std::vector<Index>>(std::move(positions))),
      values_{"values." + UpdateForm::base().name, std::move(values), {}} {}

Var Sparse::Make(Tape& tape) { return ops::AddAt(base().OutIn(), positions_, tape.Leaf(values_)); }

}  // namespace ampgrad::nn
