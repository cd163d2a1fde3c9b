#pragma once

#include <optional>
#include <vector>

#include "nn/forms/low_rank.h"

namespace ampgrad::nn {

/// W = W₀ + diag(b)·B·diag(d)·A with b [out] and d [r] trained, while B [out, r] and A [r, in] are frozen and most
/// often shared by all matrices of a model (VeRA, Kopiczko et al., arXiv:2310.11454).
class SharedScaled : public UpdateForm {
 public:
  /// The factors' scale is not used.
  SharedScaled(FrozenBase base, Factors factors, Tensor b, Tensor d, Chain chain);

  Var Make(Tape& tape) override;
  const char* Name() const override { return "shared_scaled"; }
  std::optional<Factors> Update() const override;
  std::vector<FormPart> Parts() override { return {{"b", &scale_b_}, {"d", &scale_d_}, {"A", &a_}, {"B", &b_}}; }

 protected:
  Var ApplyFactored(Input& input, const Var* bias) override;

 private:
  Param scale_b_, scale_d_;  // b and d
  Param a_, b_;              // frozen
};

}  // namespace ampgrad::nn
