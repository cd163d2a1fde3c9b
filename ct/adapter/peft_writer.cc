#include "ct/adapter/peft_writer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "ct/adapter/peft_modules.h"
#include "ct/adapter/peft_names.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/safetensors_writer.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ct {
namespace {

using nlohmann::json;

[[noreturn]] void RefuseForPeft(const std::string& what) {
  throw std::runtime_error("[export] PEFT cannot hold " + what);
}

// An adapter as PEFT holds it: updates, and modules with all their parameters.
class PeftAdapter {
 public:
  PeftAdapter(const LowRankAdapter& adapter, const PeftTarget& target);

  json Config() const;
  std::vector<io::NamedTensor> Tensors() const;

 private:
  std::string Module(const std::string& name) const { return PeftModule(name, target_.checkpoint_prefix); }
  const nn::Matrix& MatrixOf(const MatrixUpdate& update) const;
  void Replace(const std::vector<WholeTensor>& whole);
  void AddZeroUpdate();
  void RefuseWhatPeftCannotHold() const;

  const PeftTarget& target_;
  std::vector<MatrixUpdate> updates_;
  std::map<std::string, Tensor> replaced_;  // all parameters of the modules that are saved as a whole, by name
  std::set<std::string> replaced_modules_;
};

PeftAdapter::PeftAdapter(const LowRankAdapter& adapter, const PeftTarget& target)
    : target_(target), updates_(adapter.updates) {
  Replace(adapter.whole);
  if (updates_.empty()) AddZeroUpdate();
  RefuseWhatPeftCannotHold();
}

const nn::Matrix& PeftAdapter::MatrixOf(const MatrixUpdate& update) const {
  for (const nn::Matrix* matrix : target_.parts.matrices) {
    if (matrix->name == update.matrix) return *matrix;
  }
  throw std::invalid_argument("[export] the model has no matrix " + update.matrix);
}

void PeftAdapter::Replace(const std::vector<WholeTensor>& whole) {
  std::map<std::string, Tensor> given;
  for (const WholeTensor& tensor : whole) {
    given[tensor.name] = tensor.value;
    replaced_modules_.insert(Module(tensor.name));
  }
  const auto add = [&](const std::string& name, const std::function<Tensor()>& model_value) {
    if (!replaced_modules_.contains(Module(name))) return;
    const auto own = given.find(name);
    replaced_[name] = own != given.end() ? own->second : model_value();
    given.erase(name);
  };
  for (const nn::Matrix* matrix : target_.parts.matrices) {
    add(matrix->name, [matrix] { return matrix->form->Merged().Widened(); });
  }
  for (const Param* vector : target_.parts.vectors) add(vector->name, [vector] { return vector->value; });
  if (!given.empty()) throw std::invalid_argument("[export] the model has no tensor " + given.begin()->first);
}

// An update that changes nothing, of the first matrix of a block that can have one, else of any matrix.
void PeftAdapter::AddZeroUpdate() {
  for (const bool any : {false, true}) {
    for (const nn::Matrix* matrix : target_.parts.matrices) {
      const bool taken = matrix->copies > 1 || replaced_.contains(matrix->name);
      if (taken || !(any || matrix->kind == nn::MatrixKind::kBlock)) continue;
      updates_.push_back({matrix->name, Tensor({1, matrix->in}), Tensor({matrix->out, 1}), 1, Tensor()});
      return;
    }
  }
  RefuseForPeft("an adapter that replaces every matrix; expected a matrix that could have a low-rank update");
}

void PeftAdapter::RefuseWhatPeftCannotHold() const {
  for (const nn::Matrix* matrix : target_.parts.matrices) {
    if (matrix->copies > 1 && replaced_.contains(matrix->name)) {
      RefuseForPeft("a change of " + matrix->name + ", which is the head of the model, too; merge the adapter");
    }
  }
  for (const MatrixUpdate& update : updates_) {
    const nn::Matrix& matrix = MatrixOf(update);
    if (matrix.copies > 1)
      RefuseForPeft("a change of " + matrix.name + ", which is the head of the model, too; merge the adapter");
    if (replaced_.contains(matrix.name)) {
      RefuseForPeft("both an update of " + matrix.name + " and other tensors of its module; merge the adapter");
    }
    if (update.magnitude.empty() != updates_[0].magnitude.empty()) {
      RefuseForPeft("magnitudes of some matrices only: " + updates_[0].matrix + " and " + matrix.name + " differ");
    }
    if (!update.magnitude.empty() && IsEmbedding(matrix))
      RefuseForPeft("the magnitude of the embedding " + matrix.name);
  }
}

// alpha with alpha/r = scale: an integer where one gives just that.
json AlphaOf(const MatrixUpdate& update) {
  const auto rank = static_cast<double>(update.a.rows());
  const double alpha = update.scale * rank, whole = std::round(alpha);
  if (std::abs(whole) < 1e9 && whole / rank == update.scale) return static_cast<int64_t>(whole);
  return alpha;
}

json PeftAdapter::Config() const {
  const MatrixUpdate& first = updates_[0];
  json config = {
      {"peft_type", "LORA"},          {"task_type", "CAUSAL_LM"}, {"base_model_name_or_path", target_.base_model},
      {"revision", nullptr},          {"inference_mode", true},   {"r", first.a.rows()},
      {"lora_alpha", AlphaOf(first)}, {"lora_dropout", 0.0},      {"bias", "none"},
      {"fan_in_fan_out", false},      {"init_lora_weights", true}};
  if (!first.magnitude.empty()) config["use_dora"] = true;
  std::set<std::string> updated;
  for (const MatrixUpdate& update : updates_) {
    const std::string module = Module(update.matrix);
    updated.insert(module);
    if (MatrixOf(update).layout == ops::Layout::kInOut) config["fan_in_fan_out"] = true;
    if (update.a.rows() != config["r"]) config["rank_pattern"][module] = update.a.rows();
    if (AlphaOf(update) != config["lora_alpha"]) config["alpha_pattern"][module] = AlphaOf(update);
  }
  NameModules(updated, replaced_modules_, target_.parts, target_.checkpoint_prefix, config);
  return config;
}

std::vector<io::NamedTensor> PeftAdapter::Tensors() const {
  std::vector<io::NamedTensor> tensors;
  for (const MatrixUpdate& update : updates_) {
    const bool embedding = IsEmbedding(MatrixOf(update));
    const UpdateNames names = PeftUpdateNames(Module(update.matrix), embedding);
    tensors.push_back({names.a, embedding ? kernels::Transposed(update.b) : update.a});
    tensors.push_back({names.b, embedding ? kernels::Transposed(update.a) : update.b});
    if (!update.magnitude.empty()) tensors.push_back({names.magnitude, update.magnitude});
  }
  for (const auto& [name, value] : replaced_) {
    tensors.push_back({kPeftStart + Module(name) + name.substr(name.rfind('.')), value});
  }
  return tensors;
}

}  // namespace

void WritePeftAdapter(const std::filesystem::path& directory, const LowRankAdapter& adapter, const PeftTarget& target) {
  const PeftAdapter written(adapter, target);
  io::WriteSafetensors(directory / kPeftWeights, written.Tensors(), {{"format", "pt"}});
  io::WriteFileAtomically(directory / kPeftConfig, io::JsonText(written.Config(), 2) + "\n");
  io::WriteFileAtomically(directory / "README.md", target.model_card);
}

}  // namespace ampgrad::ct
