#pragma once

#include <string>

#include "nn/kv_cache.h"
#include "nn/modules.h"

/// The modules of GPT-2, with LayerNorm and GELU. The learned position embedding belongs to the model.
namespace ampgrad::nn {

/// GPT-2's attention: one matrix computes queries, keys and values.
class GptAttention {
 public:
  GptAttention(const std::string& name, Index channels, Index heads);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x, const Sequences& sequences);

  Linear c_attn;  // C → 3C: q, k, v
  Linear c_proj;  // C → C
  Index heads;
};

/// GPT-2's MLP: C → inner → C with GELU between.
class GptMlp {
 public:
  GptMlp(const std::string& name, Index channels, Index inner);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x) { return c_proj.Forward(ops::Gelu(c_fc.Forward(x))); }

  Linear c_fc;
  Linear c_proj;
};

/// A pre-norm residual block of GPT-2.
class GptBlock {
 public:
  GptBlock(const std::string& name, Index channels, Index heads, Index inner, Real eps);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x, const Sequences& sequences);

  LayerNorm ln_1;
  GptAttention attn;
  LayerNorm ln_2;
  GptMlp mlp;
};

}  // namespace ampgrad::nn
