#include "ct/adapter/gguf_adapter_writer.h"

#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include "tensor/io/gguf/gguf_names.h"
#include "tensor/io/gguf/gguf_writer.h"

namespace ampgrad::ct {
namespace {

[[noreturn]] void RefuseForLlamaCpp(const std::string& what) {
  throw std::runtime_error("[export] an adapter for llama.cpp cannot hold " + what + "; merge the adapter");
}

// An adapter changes block matrices and the head; llama.cpp knows no update of an embedding.
std::string TargetName(const GgufTarget& target, const std::string& matrix) {
  const std::optional<std::string> name = io::GgufName(target.architecture, matrix);
  if (!name || *name == "token_embd.weight" || *name == "position_embd.weight")
    RefuseForLlamaCpp("an update of " + matrix);
  return *name;
}

// The rows of queries or keys [out, r] in llama.cpp's order.
Tensor RowsByPairs(const Tensor& rows, Index heads) {
  Tensor ordered = Tensor::Uninitialized(rows.shape());
  Index at = 0;
  for (const Index row : io::PairedRows(rows.rows(), heads)) {
    std::memcpy(ordered.row(at++), rows.row(row), static_cast<size_t>(rows.cols()) * sizeof(Real));
  }
  return ordered;
}

double ScaleTimesRank(const MatrixUpdate& update) { return update.scale * static_cast<double>(update.a.rows()); }

// llama.cpp multiplies B·A by alpha/r, with one alpha for all, and an alpha of 0 says that there is none.
double CommonAlpha(const MatrixUpdate& first) {
  const double alpha = static_cast<float>(ScaleTimesRank(first));
  return alpha == 0 ? static_cast<double>(first.a.rows()) : alpha;
}

// B in the order of llama.cpp; where alpha/r is not the scale of the update, B is multiplied by what is missing.
Tensor StoredB(const MatrixUpdate& update, const GgufTarget& target, double alpha) {
  Tensor b = update.b;
  if (ScaleTimesRank(update) != alpha) {
    b = b.Clone();
    for (Real& x : b) x = static_cast<Real>(x * (ScaleTimesRank(update) / alpha));
  }
  if (update.matrix.ends_with(".q_proj.weight")) return RowsByPairs(b, target.heads);
  if (update.matrix.ends_with(".k_proj.weight")) return RowsByPairs(b, target.kv_heads);
  return b;
}

}  // namespace

void WriteGgufAdapter(const std::filesystem::path& file, const LowRankAdapter& adapter, const GgufTarget& target) {
  if (!adapter.whole.empty()) RefuseForLlamaCpp("whole tensors such as " + adapter.whole[0].name);
  if (adapter.updates.empty()) RefuseForLlamaCpp("no update at all");
  std::map<std::string, const MatrixUpdate*> update_of;
  for (const MatrixUpdate& update : adapter.updates) {
    if (!update.magnitude.empty()) RefuseForLlamaCpp("magnitudes (DoRA) such as that of " + update.matrix);
    update_of[update.matrix] = &update;
  }
  const double alpha = CommonAlpha(adapter.updates[0]);
  std::vector<io::GgufTensorPlan> plans;
  for (const auto& [matrix, update] : update_of) {
    plans.push_back({TargetName(target, matrix) + ".lora_a", io::GgmlType::kF32, update->a.shape()});
    plans.push_back({TargetName(target, matrix) + ".lora_b", io::GgmlType::kF32, update->b.shape()});
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
