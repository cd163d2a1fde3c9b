#pragma once

#include <optional>
#include <vector>

#include "nn/forms/update_form.h"

namespace ampgrad::nn {

/// W = W₀ + B·R·A with B [out, r] and A [r, in] frozen and R [r, r] trained (LoRA-XS, Bałazy et al., arXiv:2405.17604,
/// where the factors are the top singular vectors of W₀).
class Core : public UpdateForm {
 public:
  Core(FrozenBase base, Tensor b, Tensor r, Tensor a, Chain chain);

  Var Make(Tape& tape) override;
  const char* Name() const override { return "core"; }
  std::optional<Factors> Update() const override;
  std::vector<FormPart> Parts() override { return {{"R", &r_}, {"A", &a_}, {"B", &b_}}; }

 protected:
  Var ApplyFactored(Input& input, const Var* bias) override;

 private:
  Param r_;      // [r, r]
  Param a_, b_;  // frozen
};

}  // namespace ampgrad::nn
