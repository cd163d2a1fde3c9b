#pragma once

#include <string>

#include "nn/forms/chain.h"
#include "nn/forms/weight_form.h"

namespace ampgrad::nn {

/// What a form adds its update to: a matrix that never trains, kept as stored.
struct FrozenBase {
  std::string name;     // of the matrix
  StoredTensor weight;  // W₀ [out, in] or [in, out]
  ops::Layout layout;

  Index out() const { return weight.shape().dim(layout == ops::Layout::kOutIn ? 0 : 1); }
  Index in() const { return weight.shape().dim(layout == ops::Layout::kOutIn ? 1 : 0); }
  /// W₀ [out, in] in Real, whatever its layout.
  Tensor OutIn() const;
};

/// A form W = W₀ + ΔW whose parameters make ΔW alone. Make computes W as [out, in], whatever the layout of W₀.
class UpdateForm : public MadeForm {
 public:
  /// The chain decides what Apply does; Make and Lookup compute all of W.
  UpdateForm(FrozenBase base, Chain chain) : MadeForm(ops::Layout::kOutIn), base_(std::move(base)), chain_(chain) {}

  Var Apply(Input& input, const Var* bias) override;
  StoredTensor Merged() const override;
  Index MappedBytes() const override { return base_.weight.MappedBytes(); }

 protected:
  /// Apply by the factored chain. A form that has none computes W.
  virtual Var ApplyFactored(Input& input, const Var* bias) { return MadeForm::Apply(input, bias); }

  const FrozenBase& base() const { return base_; }
  /// x·Aᵀ [N, r] for A [r, in], shared by all forms that read x through the same A.
  static Var Project(Input& input, const Var& a);

 private:
  FrozenBase base_;
  Chain chain_;
};

}  // namespace ampgrad::nn
