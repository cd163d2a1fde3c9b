#include "nn/gpt_modules.h"

namespace ampgrad::nn {

GptAttention::GptAttention(const std::string& name, Index channels, Index heads)
    : c_attn(name + ".c_attn", ops::Layout::kInOut, channels, 3 * channels),
      c_proj(name + ".c_proj", ops::Layout::kInOut, channels, channels),
      heads(heads) {
  c_proj.weight.to_residual = true;
}

void GptAttention::AddTo(Parts& parts) {
  c_attn.AddTo(parts);
  c_proj.AddTo(parts);
}

Var GptAttention::Forward(const Var& x, const Sequences& sequences) {
  const Var qkv = c_attn.Forward(x);
  if (sequences.cache == nullptr) {
    return c_proj.Forward(ops::CausalSelfAttention(qkv, sequences.length, heads, sequences.borders));
  }
  RequireNoGradient(qkv);
  const Index channels = x.shape().cols();
  const auto part = [&](Index i) { return qkv.tape->Constant(qkv.value.Columns(i * channels, (i + 1) * channels)); };
  const SeenKeys seen = Remember(sequences, part(1), part(2));
  return c_proj.Forward(
      ops::CausalAttention(part(0), seen.keys, seen.values, sequences.length, heads, heads, sequences.offset));
}

GptMlp::GptMlp(const std::string& name, Index channels, Index inner)
    : c_fc(name + ".c_fc", ops::Layout::kInOut, channels, inner),
      c_proj(name + ".c_proj", ops::Layout::kInOut, inner, channels) {
  c_proj.weight.to_residual = true;
}

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
