#include "tensor/io/gguf/gguf_names.h"

#include <cctype>
#include <span>
#include <utility>

namespace ampgrad::io {
namespace {

// Hugging Face's name of a module, and that of GGUF.
using Pair = std::pair<const char*, const char*>;

struct Family {
  const char* blocks;  // what Hugging Face's names of blocks begin with
  std::span<const Pair> whole, in_block;
};

constexpr Pair kLlamaWhole[] = {{"embed_tokens", "token_embd"}, {"norm", "output_norm"}, {"lm_head", "output"}};
constexpr Pair kLlamaInBlock[] = {
    {"input_layernorm", "attn_norm"}, {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},   {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},    {"mlp.up_proj", "ffn_up"},           {"mlp.down_proj", "ffn_down"}};
constexpr Pair kGptWhole[] = {
    {"wte", "token_embd"}, {"wpe", "position_embd"}, {"ln_f", "output_norm"}, {"lm_head", "output"}};
constexpr Pair kGptInBlock[] = {{"ln_1", "attn_norm"}, {"attn.c_attn", "attn_qkv"}, {"attn.c_proj", "attn_output"},
                                {"ln_2", "ffn_norm"},  {"mlp.c_fc", "ffn_up"},      {"mlp.c_proj", "ffn_down"}};

Family FamilyOf(const std::string& architecture) {
  if (architecture == "gpt2") return {"h.", kGptWhole, kGptInBlock};
  return {"layers.", kLlamaWhole, kLlamaInBlock};
}

// The other name of a module, by either of its names.
std::optional<std::string> Other(std::span<const Pair> pairs, const std::string& module, bool to_gguf) {
  for (const auto& [own, gguf] : pairs) {
    if (module == (to_gguf ? own : gguf)) return to_gguf ? gguf : own;
  }
  return std::nullopt;
}

std::optional<std::string> Renamed(const Family& family, const std::string& name, bool to_gguf) {
  const std::string from = to_gguf ? family.blocks : "blk.", to = to_gguf ? "blk." : family.blocks;
  const size_t suffix = name.rfind('.');
  if (suffix == name.npos) return std::nullopt;
  const std::string module = name.substr(0, suffix), part = name.substr(suffix);  // ".weight" or ".bias"
  if (!module.starts_with(from)) {
    const std::optional<std::string> other = Other(family.whole, module, to_gguf);
    return other ? std::optional(*other + part) : std::nullopt;
  }
  size_t end = from.size();
  while (end < module.size() && std::isdigit(static_cast<unsigned char>(module[end]))) ++end;
  if (end == from.size() || end >= module.size() || module[end] != '.') return std::nullopt;
  const std::optional<std::string> other = Other(family.in_block, module.substr(end + 1), to_gguf);
  return other ? std::optional(to + module.substr(from.size(), end + 1 - from.size()) + *other + part) : std::nullopt;
}

}  // namespace

std::optional<std::string> GgufName(const std::string& architecture, const std::string& name) {
  return Renamed(FamilyOf(architecture), name, true);
}

std::optional<std::string> HuggingFaceName(const std::string& architecture, const std::string& gguf_name) {
  return Renamed(FamilyOf(architecture), gguf_name, false);
}

PairedHeads PairedHeadsOf(const std::string& architecture, const std::string& name) {
  if (architecture != "llama") return PairedHeads::kNone;
  if (name.find(".q_proj.") != name.npos) return PairedHeads::kQueries;
  return name.find(".k_proj.") != name.npos ? PairedHeads::kKeys : PairedHeads::kNone;
}

std::vector<Index> PairedRows(Index rows, Index heads) {
  std::vector<Index> order;
  const Index half = rows / heads / 2;
  for (Index head = 0; head < heads; ++head) {
    for (Index i = 0; i < 2 * half; ++i) order.push_back(2 * half * head + i / 2 + (i % 2) * half);
  }
  return order;
}

}  // namespace ampgrad::io
