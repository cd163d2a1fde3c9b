#include "train/analysis/op_formulas.h"

#include <map>
#include <stdexcept>

namespace ampgrad::train {

const OpFormula& FormulaOf(const std::string& op) {
  static const std::map<std::string, OpFormula> formulas = {
      {"add", {"y = a + b", "da += dy, db += dy"}},
      {"mul", {"y = a ⊙ b", "da += dy ⊙ b, db += dy ⊙ a"}},
      {"gelu", {"y = x·σ(2u), u = √(2/π)(x + 0.044715x³)", "dx += dy ⊙ (σ + x·σ(1 − σ)·2u')"}},
      {"silu", {"y = x·σ(x)", "dx += dy ⊙ (σ + x·σ(1 − σ))"}},
      {"embedding", {"y_n = table_ids[n]", "dtable_ids[n] += dy_n"}},
      {"linear",
       {"y = x·Wᵀ + b (Layout::kOutIn) y = x·W + b (Layout::kInOut)",
        "dx += dy·W or dy·Wᵀ; dW += dyᵀ·x or xᵀ·dy; db += Σ_n dy_n"}},
      {"frozen_linear",
       {"y = x·Wᵀ + b (Layout::kOutIn) y = x·W + b (Layout::kInOut)",
        "dx += dy·W or dy·Wᵀ; db += Σ_n dy_n; W is a constant"}},
      {"low_rank_linear",
       {"y = x·W₀ᵀ + P·Bᵀ + b (Layout::kOutIn) y = x·W₀ + P·Bᵀ + b (Layout::kInOut)",
        "dx += dy·W₀ or dy·W₀ᵀ; dP += dy·B; dB += dyᵀ·P; db += Σ_n dy_n; W₀ is a constant"}},
      {"factored_linear",
       {"y = x·Wᵀ + b (Layout::kOutIn) y = x·W + b (Layout::kInOut) W = S·B + C",
        "dx += dy·W or dy·Wᵀ; dS += dyᵀ·P or xᵀ·(dy·Bᵀ); db += Σ_n dy_n; dW (n·d) is never formed"}},
      {"add_product", {"W = C + B·A", "dB += dW·Aᵀ, dA += Bᵀ·dW"}},
      {"reconstruct", {"W = S·B + C", "dS += dW·Bᵀ"}},
      {"append_ones", {"S' = (S | 1)", "dS += dS' without its last column"}},
      {"scale", {"y = s·x", "dx += s·dy"}},
      {"scale_rows", {"y = diag(g)·x", "dx_ij += g_i dy_ij, dg_i += Σ_j dy_ij x_ij"}},
      {"scale_columns", {"y = x·diag(g) + b", "dx_nj += dy_nj g_j, dg_j += Σ_n dy_nj x_nj, db_j += Σ_n dy_nj"}},
      {"add_at", {"W_p = C_p + v_i for p = positions_i", "dv_i += dW_p"}},
      {"dropout", {"y = m ⊙ x / (1 − rate)", "dx_i += m_i dy_i / (1 − rate)"}},
      {"layer_norm",
       {"y = x̂ ⊙ gain + bias, x̂ = (x − mean)·rstd",
        "with g = dy ⊙ gain: "
        "dx += rstd·(g − mean(g) − x̂·mean(g ⊙ x̂))"}},
      {"rms_norm", {"y = x·rstd ⊙ gain", "with g = dy ⊙ gain and x̂ = x·rstd: dx += rstd·(g − x̂·mean(g ⊙ x̂))"}},
      {"rotary", {"y = R(position)·x, head by head", "dx += R(−position)·dy"}},
      {"causal_attention",
       {"o = softmax(mask(q·kᵀ/√D))·v",
        "dv_j += Σ_i P_ij do_i, dP_ij = do_i·v_j, dS_ij = P_ij (dP_ij − o_i·do_i), dq_i += Σ_j dS_ij k_j/√D, "
        "dk_j += Σ_i dS_ij q_i/√D"}},
      {"causal_self_attention", {"o = softmax(mask(q·kᵀ/√D))·v", "dqkv += dq, dk, dv side by side"}},
      {"cross_entropy",
       {"loss = Σ over targets of −log softmax(logits)[target] / count",
        "dlogits_nv += dloss·(e^(logits_nv − M_n − L_n) − [v = target_n]) / count"}},
      {"checkpoint", {"y = f(x)", "f once more, recorded, and back from dy: dx"}},
  };
  const auto found = formulas.find(op);
  if (found == formulas.end()) throw std::invalid_argument("[formula] no op records itself as " + op);
  return found->second;
}

}  // namespace ampgrad::train
