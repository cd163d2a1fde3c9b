#include "nn/llama_modules.h"

namespace ampgrad::nn {

LlamaAttention::LlamaAttention(const std::string& name, const LlamaBlockSizes& s)
    : q_proj(name + ".q_proj", ops::Layout::kOutIn, s.channels, s.heads * s.head_dim, s.attention_bias),
      k_proj(name + ".k_proj", ops::Layout::kOutIn, s.channels, s.kv_heads * s.head_dim, s.attention_bias),
      v_proj(name + ".v_proj", ops::Layout::kOutIn, s.channels, s.kv_heads * s.head_dim, s.attention_bias),
      o_proj(name + ".o_proj", ops::Layout::kOutIn, s.heads * s.head_dim, s.channels, s.attention_bias),
      heads(s.heads),
      kv_heads(s.kv_heads) {
  o_proj.weight.to_residual = true;
}

void LlamaAttention::AddTo(Parts& parts) {
  for (Linear* linear : {&q_proj, &k_proj, &v_proj, &o_proj}) linear->AddTo(parts);
}

Var LlamaAttention::Forward(const Var& x, const Sequences& at) {
  Input input(x);
  const Var q = ops::Rotary(q_proj.Forward(input), at.rotary);
  const Var k = ops::Rotary(k_proj.Forward(input), at.rotary);
  const Var v = v_proj.Forward(input);
  const SeenKeys seen = at.cache ? Remember(at, k, v) : SeenKeys{k, v};
  return o_proj.Forward(
      ops::CausalAttention(q, seen.keys, seen.values, at.length, heads, kv_heads, at.offset, at.borders));
}

LlamaMlp::LlamaMlp(const std::string& name, const LlamaBlockSizes& s)
    : gate_proj(name + ".gate_proj", ops::Layout::kOutIn, s.channels, s.inner, s.mlp_bias),
      up_proj(name + ".up_proj", ops::Layout::kOutIn, s.channels, s.inner, s.mlp_bias),
      down_proj(name + ".down_proj", ops::Layout::kOutIn, s.inner, s.channels, s.mlp_bias) {
  down_proj.weight.to_residual = true;
}

void LlamaMlp::AddTo(Parts& parts) {
  for (Linear* linear : {&gate_proj, &up_proj, &down_proj}) linear->AddTo(parts);
}

Var LlamaMlp::Forward(const Var& x) {
  Input input(x);
  const Var gate = ops::Silu(gate_proj.Forward(input));
  return down_proj.Forward(ops::Mul(gate, up_proj.Forward(input)));
}

LlamaBlock::LlamaBlock(const std::string& name, const LlamaBlockSizes& sizes)
    : input_layernorm(name + ".input_layernorm", sizes.channels, sizes.norm_eps),
      self_attn(name + ".self_attn", sizes),
      post_attention_layernorm(name + ".post_attention_layernorm", sizes.channels, sizes.norm_eps),
      mlp(name + ".mlp", sizes) {}

void LlamaBlock::AddTo(Parts& parts) {
  input_layernorm.AddTo(parts);
  self_attn.AddTo(parts);
  post_attention_layernorm.AddTo(parts);
  mlp.AddTo(parts);
}

Var LlamaBlock::Forward(const Var& x, const Sequences& sequences) {
  const Var h = ops::Add(x, self_attn.Forward(input_layernorm.Forward(x), sequences));
  return ops::Add(h, mlp.Forward(post_attention_layernorm.Forward(h)));
}

}  // namespace ampgrad::nn
