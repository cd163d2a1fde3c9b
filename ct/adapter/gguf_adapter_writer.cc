#include "ct/adapter/gguf_adapter_writer.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "tensor/io/gguf_writer.h"

namespace ampgrad::ct {
namespace {

[[noreturn]] void Refuse(const std::string& what) {
  throw std::runtime_error("[export] an adapter for llama.cpp cannot hold " + what + "; merge the adapter");
}

// "blk.3.attn_q.weight" of "layers.3.self_attn.q_proj.weight".
std::string GgmlName(const std::string& matrix) {
  static const std::map<std::string, std::string> kInBlock = {
      {"attn.c_attn.weight", "attn_qkv.weight"},    {"attn.c_proj.weight", "attn_output.weight"},
      {"mlp.c_fc.weight", "ffn_up.weight"},         {"mlp.c_proj.weight", "ffn_down.weight"},
      {"self_attn.q_proj.weight", "attn_q.weight"}, {"self_attn.k_proj.weight", "attn_k.weight"},
      {"self_attn.v_proj.weight", "attn_v.weight"}, {"self_attn.o_proj.weight", "attn_output.weight"},
      {"mlp.gate_proj.weight", "ffn_gate.weight"},  {"mlp.up_proj.weight", "ffn_up.weight"},
      {"mlp.down_proj.weight", "ffn_down.weight"}};
  if (matrix == "lm_head.weight") return "output.weight";
  const size_t first = matrix.find('.'), second = matrix.find('.', first + 1);
  const auto found = second == matrix.npos ? kInBlock.end() : kInBlock.find(matrix.substr(second + 1));
  if (found == kInBlock.end()) Refuse("an update of " + matrix);
  return "blk." + matrix.substr(first + 1, second - first - 1) + "." + found->second;
}

// The rows of queries or keys [out, r] in llama.cpp's order: of each head the rows i and i + half side by side.
Tensor RowsByPairs(const Tensor& rows, Index heads) {
  Tensor ordered = Tensor::Uninitialized(rows.shape());
  const Index half = rows.rows() / heads / 2, bytes = rows.cols() * static_cast<Index>(sizeof(Real));
  for (Index head = 0; head < heads; ++head) {
    for (Index i = 0; i < 2 * half; ++i) {
      std::memcpy(ordered.row(2 * half * head + i), rows.row(2 * half * head + i / 2 + (i % 2) * half),
                  static_cast<size_t>(bytes));
    }
  }
  return ordered;
}

double AlphaOf(const MatrixUpdate& update) { return update.scale * static_cast<double>(update.a.rows()); }

// llama.cpp multiplies B·A by alpha/r, with one alpha for all, and an alpha of 0 says that there is none.
double CommonAlpha(const MatrixUpdate& first) {
  const double alpha = static_cast<float>(AlphaOf(first));
  return alpha == 0 ? static_cast<double>(first.a.rows()) : alpha;
}

// B in the order of llama.cpp; where alpha/r is not the scale of the update, B is multiplied by what is missing.
Tensor StoredB(const MatrixUpdate& update, const GgufTarget& target, double alpha) {
  Tensor b = update.b;
  if (AlphaOf(update) != alpha) {
    b = b.Clone();
    for (Real& x : b) x = static_cast<Real>(x * (AlphaOf(update) / alpha));
  }
  if (update.matrix.ends_with(".q_proj.weight")) return RowsByPairs(b, target.heads);
  if (update.matrix.ends_with(".k_proj.weight")) return RowsByPairs(b, target.kv_heads);
  return b;
}

}  // namespace

void WriteGgufAdapter(const std::filesystem::path& file, const LowRankAdapter& adapter, const GgufTarget& target) {
  if (!adapter.whole.empty()) Refuse("whole tensors such as " + adapter.whole[0].name);
  if (adapter.updates.empty()) Refuse("no update at all");
  std::map<std::string, const MatrixUpdate*> update_of;
  for (const MatrixUpdate& update : adapter.updates) {
    if (!update.magnitude.empty()) Refuse("magnitudes (DoRA) such as that of " + update.matrix);
    update_of[update.matrix] = &update;
  }
  const double alpha = CommonAlpha(adapter.updates[0]);
  std::vector<io::GgufTensorPlan> plans;
  for (const auto& [matrix, update] : update_of) {
    plans.push_back({GgmlName(matrix) + ".lora_a", io::GgmlType::kF32, update->a.shape()});
    plans.push_back({GgmlName(matrix) + ".lora_b", io::GgmlType::kF32, update->b.shape()});
  }
  io::GgufWriter writer(file,
                        {{"general.type", "adapter"},
                         {"general.architecture", target.architecture},
                         {"adapter.type", "lora"},
                         {"adapter.lora.alpha", static_cast<float>(alpha)}},
                        plans);
  for (const auto& [matrix, update] : update_of) {
    writer.Write(update->a);
    writer.Write(StoredB(*update, target, alpha));
  }
  writer.Commit();
}

}  // namespace ampgrad::ct
