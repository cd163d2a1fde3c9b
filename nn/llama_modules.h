#pragma once

#include <string>

#include "nn/kv_cache.h"
#include "nn/modules.h"

/// The modules of the Llama family: root-mean-square norms, rotary positions, grouped heads, a gated MLP.
namespace ampgrad::nn {

/// Sizes of a block, as the config gives them.
struct LlamaBlockSizes {
  Index channels;  // C, the hidden size
  Index heads;     // H query heads
  Index kv_heads;  // G key/value heads, a divisor of H
  Index head_dim;  // D
  Index inner;     // I, inner size of the MLP
  bool attention_bias, mlp_bias;
  Real norm_eps;
};

/// Grouped-query attention with rotary positions.
class LlamaAttention {
 public:
  LlamaAttention(const std::string& name, const LlamaBlockSizes& sizes);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x, const Sequences& sequences);

  Linear q_proj, k_proj, v_proj;  // C → H·D, G·D, G·D
  Linear o_proj;                  // H·D → C
  Index heads, kv_heads;
};

/// SwiGLU (Shazeer, arXiv:2002.05202): down(SiLU(gate(x)) ⊙ up(x)).
class LlamaMlp {
 public:
  LlamaMlp(const std::string& name, const LlamaBlockSizes& sizes);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x);

  Linear gate_proj, up_proj;  // C → I
  Linear down_proj;           // I → C
};

/// A pre-norm residual block of Llama.
class LlamaBlock {
 public:
  LlamaBlock(const std::string& name, const LlamaBlockSizes& sizes);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x, const Sequences& sequences);

  RmsNorm input_layernorm;
  LlamaAttention self_attn;
  RmsNorm post_attention_layernorm;  // Hugging Face's name; it is the norm before the MLP
  LlamaMlp mlp;
};

}  // namespace ampgrad::nn
