#pragma once

#include <utility>
#include <vector>

#include "nn/forms/update_form.h"

namespace ampgrad::nn {

/// Which of the two factors trains.
enum class TrainedFactors { kBoth, kA, kB };

/// The factors of an update s·B·A.
struct Factors {
  Tensor a;  // A [r, in]
  Tensor b;  // B [out, r]
  Real scale = 1;
  /// What W is at step 0: W₀ + s·B·A, or W₀ itself, from which s·B·A is taken away for good.
  enum class AtStart { kSum, kBase } at_start = AtStart::kSum;
};

/// W = W₀ + s·B·A (LoRA, Hu et al., arXiv:2106.09685). Which factor trains and where the factors come from make the
/// methods lora, lora-fa, pissa and others.
class LowRank : public UpdateForm {
 public:
  LowRank(FrozenBase base, Factors factors, TrainedFactors trained, Chain chain);

  Var Make(Tape& tape) override;
  std::vector<FormPart> Parts() override;

 protected:
  Var ApplyFactored(Input& input, const Var* bias) override;

  Param a_, b_;
  Real scale_;

 private:
  Param first_a_, first_b_;  // what the update starts from, if that is taken away: frozen, kept for adapters
};

}  // namespace ampgrad::nn
