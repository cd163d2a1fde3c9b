#pragma once

#include <string>
#include <vector>

#include "nn/kv_cache.h"
#include "nn/matrix.h"

/// The modules of a transformer: parameters with the names of the checkpoint, and a Forward that strings ops together.
/// N = batch·length rows, C channels.
namespace ampgrad::nn {

/// Everything of a module that may be trained, in the order of the model.
struct Parts {
  std::vector<Matrix*> matrices;
  std::vector<Param*> vectors;  // biases and norms
};

/// Copies the numbers of every part of a model to those of another of the same configuration (`Matrix::CopyFrom`).
void CopyNumbers(const Parts& from, const Parts& to);

class Embedding {
 public:
  Embedding(const std::string& name, Role role, Index rows, Index channels)
      : weight(name + ".weight", role, ops::Layout::kOutIn, rows, channels) {}
  void AddTo(Parts& parts) { parts.matrices.push_back(&weight); }

  Matrix weight;  // [rows, C]
};

class Linear {
 public:
  Linear(const std::string& name, ops::Layout layout, Index in, Index out, bool has_bias = true)
      : weight(name + ".weight", Role::kBlock, layout, out, in),
        bias{name + ".bias", has_bias ? Tensor({out}) : Tensor(), {}} {}
  void AddTo(Parts& parts);
  /// x [N, in] → [N, out]
  Var Forward(const Var& x);
  /// The same for an x that other matrices read too.
  Var Forward(Input& x);

  Matrix weight;
  Param bias;  // [out], or absent
};

class LayerNorm {
 public:
  LayerNorm(const std::string& name, Index channels, Real eps);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x);

  Param gain;  // [C]
  Param bias;  // [C]
  Real eps;
};

/// GPT-2's attention: one matrix makes queries, keys and values.
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
