#pragma once

#include <utility>

#include "nn/forms/weight_form.h"

namespace ampgrad::nn {

/// A matrix that never trains and has no parameters. It is kept as stored, most often in a mapped file.
class Frozen : public WeightForm {
 public:
  Frozen(StoredTensor weight, ops::Layout layout) : weight_(std::move(weight)), layout_(layout) {}

  Var Apply(Input& input, const Var* bias) override { return ops::FrozenLinear(input.x(), weight_, layout_, bias); }
  Var Lookup(Tape& tape, const std::vector<int>& ids) override { return tape.Constant(ops::FrozenRows(weight_, ids)); }
  std::vector<FormPart> Parts() override { return {}; }
  const char* Name() const override { return "frozen"; }
  StoredTensor Merged() const override { return weight_; }
  Index MappedBytes() const override { return weight_.MappedBytes(); }

 private:
  StoredTensor weight_;
  ops::Layout layout_;
};

}  // namespace ampgrad::nn
