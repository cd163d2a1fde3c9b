#include "nn/modules.h"

namespace ampgrad::nn {

void CopyNumbers(const Parts& from, const Parts& to) {
  for (size_t i = 0; i < from.matrices.size(); ++i) to.matrices[i]->CopyFrom(*from.matrices[i]);
  for (size_t i = 0; i < from.vectors.size(); ++i) to.vectors[i]->value = from.vectors[i]->value.Clone();
}

void Linear::AddTo(Parts& parts) {
  parts.matrices.push_back(&weight);
  if (!bias.value.empty()) parts.vectors.push_back(&bias);
}

Var Linear::Forward(const Var& x) {
  Input input(x);
  return Forward(input);
}

Var Linear::Forward(Input& x) {
  if (bias.value.empty()) return weight.Apply(x, nullptr);
  const Var b = x.x().tape->Leaf(bias);
  return weight.Apply(x, &b);
}

LayerNorm::LayerNorm(const std::string& name, Index channels, Real eps)
    : gain{name + ".weight", Tensor({channels}), {}}, bias{name + ".bias", Tensor({channels}), {}}, eps(eps) {
  gain.value.Fill(1);
}

void LayerNorm::AddTo(Parts& parts) {
  parts.vectors.push_back(&gain);
  parts.vectors.push_back(&bias);
}

Var LayerNorm::Forward(const Var& x) { return ops::LayerNorm(x, x.tape->Leaf(gain), x.tape->Leaf(bias), eps); }

GptAttention::GptAttention(const std::string& name, Index channels, Index heads)
    : c_attn(name + ".c_attn", ops::Layout::kInOut, channels, 3 * channels),
      c_proj(name + ".c_proj", ops::Layout::kInOut, channels, channels),
      heads(heads) {}

void GptAttention::AddTo(Parts& parts) {
  c_attn.AddTo(parts);
  c_proj.AddTo(parts);
}

Var GptAttention::Forward(const Var& x, const Sequences& sequences) {
  const Var qkv = c_attn.Forward(x);
  if (sequences.cache == nullptr) return c_proj.Forward(ops::CausalSelfAttention(qkv, sequences.length, heads));
  // Columns of qkv that need a gradient just as it does, which Remember refuses.
  const Index channels = x.shape().cols();
  const auto part = [&](Index i) {
    return Var{qkv.value.Columns(i * channels, (i + 1) * channels), qkv.tape, qkv.node};
  };
  const SeenKeys seen = Remember(sequences, part(1), part(2));
  return c_proj.Forward(
      ops::CausalAttention(part(0), seen.keys, seen.values, sequences.length, heads, heads, sequences.offset));
}

GptMlp::GptMlp(const std::string& name, Index channels, Index inner)
    : c_fc(name + ".c_fc", ops::Layout::kInOut, channels, inner),
      c_proj(name + ".c_proj", ops::Layout::kInOut, inner, channels) {}

void GptMlp::AddTo(Parts& parts) {
  c_fc.AddTo(parts);
  c_proj.AddTo(parts);
}

GptBlock::GptBlock(const std::string& name, Index channels, Index heads, Index inner, Real eps)
    : ln_1(name + ".ln_1", channels, eps),
      attn(name + ".attn", channels, heads),
      ln_2(name + ".ln_2", channels, eps),
      mlp(name + ".mlp", channels, inner) {}

void GptBlock::AddTo(Parts& parts) {
  ln_1.AddTo(parts);
  attn.AddTo(parts);
  ln_2.AddTo(parts);
  mlp.AddTo(parts);
}

Var GptBlock::Forward(const Var& x, const Sequences& sequences) {
  const Var h = ops::Add(x, attn.Forward(ln_1.Forward(x), sequences));
  return ops::Add(h, mlp.Forward(ln_2.Forward(h)));
}

}  // namespace ampgrad::nn
