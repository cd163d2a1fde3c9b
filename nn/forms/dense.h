#pragma once

#include <string>
#include <utility>

#include "nn/forms/weight_form.h"

namespace ampgrad::nn {

/// The matrix itself as one parameter: full fine-tuning.
class Dense : public MadeForm {
 public:
  /// `name` is the name of the matrix; `value` is in the stored layout.
  Dense(std::string name, Tensor value, ops::Layout layout)
      : MadeForm(layout), weight_{std::move(name), std::move(value), {}} {}

  Var Make(Tape& tape) override { return tape.Leaf(weight_); }
  std::vector<FormPart> Parts() override { return {{"weight", &weight_}}; }
  const char* Name() const override { return "dense"; }
  StoredTensor Merged() const override { return StoredTensor(weight_.value); }

 private:
  Param weight_;
};

}  // namespace ampgrad::nn
