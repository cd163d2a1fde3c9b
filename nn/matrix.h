#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/ops.h"

namespace ampgrad::nn {

/// A weight as an op consumes it: a value on a tape or, frozen at half width, no such value.
struct Weight {
  Var value;
  ops::Layout layout;
  std::optional<Bf16Tensor> frozen = {};
};

/// The linear map of a weight: x·Wᵀ or x·W by its layout, plus `bias` unless it is null.
Var Multiply(const Var& x, const Weight& weight, const Var* bias);
/// Rows `ids` of a weight that is a table [V, C], on `tape`.
Var Lookup(Tape& tape, const Weight& table, const std::vector<int>& ids);

/// An activation that one or several matrices read, with what their forms derive from it once for all of them.
class Input {
 public:
  explicit Input(Var x) : x_(std::move(x)) {}
  const Var& x() const { return x_; }

  /// What `make` returns for x; it is called the first time that `key` is seen, and `key` must be the same for the same
  /// `make`.
  const Var& Derived(const void* key, const std::function<Var(const Var& x)>& make);

 private:
  Var x_;
  std::map<const void*, Var> derived_;
};

/// How a weight matrix is made from what may be trained. A fine-tuning method is a choice of form.
class WeightForm {
 public:
  virtual ~WeightForm() = default;
  /// The linear map of this weight: x·Wᵀ or x·W by the layout, plus `bias` unless it is null. As the form makes W, unless it
  /// knows a way round it.
  virtual Var Apply(Input& input, const Var* bias);
  /// The weight on a tape, as a function of the form's trainable parameters.
  virtual Weight Make(Tape& tape) = 0;
  /// The parameters it is made from.
  virtual std::vector<Param*> Params() = 0;
  /// The numbers of the weight in its stored layout, as a checkpoint holds them.
  virtual Tensor Merged() const = 0;
  /// The weight at half width, if that is how it is held.
  virtual const Bf16Tensor* Frozen() const { return nullptr; }
};

/// The matrix itself: full fine-tuning, or frozen.
class Dense : public WeightForm {
 public:
  Dense(std::string name, Tensor value, ops::Layout layout)
      : param_{std::move(name), std::move(value), {}}, layout_(layout) {}

  Weight Make(Tape& tape) override { return {tape.Leaf(param_), layout_}; }
  std::vector<Param*> Params() override { return {&param_}; }
  Tensor Merged() const override { return param_.value; }

 private:
  Param param_;
  ops::Layout layout_;
};

/// A matrix that never trains and is held at half width, where it lies in a file: no parameters.
class FrozenBf16 : public WeightForm {
 public:
  FrozenBf16(Bf16Tensor value, ops::Layout layout) : value_(std::move(value)), layout_(layout) {}

  Weight Make(Tape&) override { return {{}, layout_, value_}; }
  std::vector<Param*> Params() override { return {}; }
  Tensor Merged() const override { return value_.Widened(); }
  const Bf16Tensor* Frozen() const override { return &value_; }

 private:
  Bf16Tensor value_;
  ops::Layout layout_;
};

/// What a matrix is in its model.
enum class Role { kBlock, kVocabulary, kPosition };

/// A named weight matrix of a model, in whatever form it is held.
struct Matrix {
  Matrix(std::string name, Role role, ops::Layout layout, Index out, Index in);

  Weight Use(Tape& tape) { return form->Make(tape); }
  Var Apply(Input& input, const Var* bias) { return form->Apply(input, bias); }
  /// Its shape in the stored layout: [out, in] or [in, out].
  Shape StoredShape() const;
  /// Holds the numbers as they stand in a Dense form that trains.
  void MakeTrainable();
  /// Takes over the numbers of `other`, a matrix of the same shape: as a dense copy, or those held at half width as they lie.
  void CopyFrom(const Matrix& other);

  std::string name;
  Role role;
  ops::Layout layout;  // of the checkpoint
  Index out, in;
  int copies = 1;                    // how many weights of the model share these numbers: 2 for a tied vocabulary
  std::unique_ptr<WeightForm> form;  // absent until the numbers are loaded or drawn
};

}  // namespace ampgrad::nn
