#pragma once

#include <vector>

#include "nn/forms/low_rank.h"

namespace ampgrad::nn {

/// W = m ⊙ V/‖V‖ by the rows of V = W₀ + s·B·A [out, in], with m [out] trained beside A and B (DoRA, Liu et al.,
/// arXiv:2402.09353). The norms are constants in the backward, as in section 4.3 there and in PEFT.
class Dora : public LowRank {
 public:
  /// With `magnitude` absent, m is the norm of each row of V: the update starts as that of LowRank.
  Dora(FrozenBase base, Factors factors, Tensor magnitude, Chain chain);

  /// Keeps the norms as they are now. The gradients are then those of the loss, which a check by differences needs.
  void HoldNorms() { held_ = Norms(); }

  Var Make(Tape& tape) override;
  const char* Name() const override { return "dora"; }
  std::vector<FormPart> Parts() override { return {{"A", &a_}, {"B", &b_}, {"m", &m_}}; }

 protected:
  Var ApplyFactored(Input& input, const Var* bias) override;

 private:
  /// m/‖V‖ [out]
  Var Gains(Tape& tape);
  /// ‖V_o‖ [out], without V: ‖V_o‖² = ‖W₀_o‖² + 2s·⟨B_o, (W₀·Aᵀ)_o⟩ + s²·B_o·(A·Aᵀ)·B_oᵀ
  Tensor Norms() const;

  std::vector<double> base_squares_;  // ‖W₀_o‖² [out]
  Param m_;                           // [out]
  Tensor held_;                       // norms; absent unless they are held
};

}  // namespace ampgrad::nn
