#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "nn/forms/input.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::nn {

/// A parameter of a form and its role: "weight", "scores".
struct FormPart {
  const char* role;
  Param* param;
};

/// A tensor that must be saved to make a form again on the same matrix, and whether it trains.
struct SavedPart {
  std::string role;
  Tensor value;
  bool trains;
};

/// The factors of an update s·B·A.
struct Factors {
  Tensor a;  // A [r, in]
  Tensor b;  // B [out, r]
  Real scale = 1;
};

/// How a weight matrix is computed from its parameters. A fine-tuning method is a choice of form.
class WeightForm {
 public:
  virtual ~WeightForm() = default;

  /// The linear map of this weight: x·Wᵀ or x·W by its layout, plus `bias` unless it is null. x [N, in], bias [out] →
  /// [N, out]. Throws std::invalid_argument when shapes do not fit.
  virtual Var Apply(Input& input, const Var* bias) = 0;
  /// Rows `ids` [N] of the weight as a table [V, C] → [N, C]. Throws std::invalid_argument for an id that is not in
  /// 0..V−1.
  virtual Var Lookup(Tape& tape, const std::vector<int>& ids) = 0;

  /// The parameters of the weight with their roles: those that train, and those that must be saved with them.
  virtual std::vector<FormPart> Parts() = 0;
  /// The parameter with this role. Throws std::invalid_argument, which lists the existing roles, when there is none.
  Param& Part(const std::string& role);

  /// The name of the form, as adapters record it.
  virtual const char* Name() const = 0;
  /// Numbers that make the form again, beside what is saved.
  virtual std::map<std::string, double> Numbers() const { return {}; }
  /// What must be saved: by default, the parameters.
  virtual std::vector<SavedPart> Saved();
  /// The change of the given weight as a low-rank update [out, in], where the form is one. Of PiSSA it has
  /// rank 2r; of DoRA it is that of V, before m scales its rows.
  virtual std::optional<Factors> Update() const { return std::nullopt; }

  /// The weight in its stored layout, as a checkpoint holds it.
  virtual StoredTensor Merged() const = 0;
  /// Bytes of the weight that are not in tensors but in a mapped file.
  virtual Index MappedBytes() const { return 0; }
};

/// A form that computes the whole matrix on the tape; Apply and Lookup use this matrix.
class MadeForm : public WeightForm {
 public:
  /// `layout` is the layout of the computed matrix.
  explicit MadeForm(ops::Layout layout) : made_layout_(layout) {}

  /// W as a function of the parameters: [out, in] or [in, out], by made_layout(). Throws std::invalid_argument when the
  /// shapes of the parameters do not fit each other, which the constructor of a form need not check.
  virtual Var Make(Tape& tape) = 0;

  Var Apply(Input& input, const Var* bias) override {
    return ops::Linear(input.x(), Make(*input.x().tape), made_layout_, bias);
  }
  Var Lookup(Tape& tape, const std::vector<int>& ids) override { return ops::Embedding(Make(tape), ids); }

  ops::Layout made_layout() const { return made_layout_; }

 private:
  ops::Layout made_layout_;
};

}  // namespace ampgrad::nn
