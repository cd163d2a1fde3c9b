#include "models/files/weight_names.h"

#include <set>
#include <stdexcept>
#include <utility>

#include "tensor/io/safetensors_header.h"

namespace ampgrad::models {
namespace {

// Tensors of checkpoints that are no parameters: GPT-2's causal masks, h.<i>.attn.bias and h.<i>.attn.masked_bias, and
// the frequencies of rotary positions, of each layer or shared by all.
bool IsBuffer(const std::string& name) {
  return (name.starts_with("h.") && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))) ||
         name.ends_with("rotary_emb.inv_freq");
}

// Who writes tensors under other names, by the start of the names.
std::string Origin(const std::string& stored) {
  constexpr std::pair<const char*, const char*> kOrigins[] = {
      {"_orig_mod.", "the prefix of a compiled model; save the model inside it"},
      {"module.", "the prefix of a model on several devices; save the model inside it"},
      {"base_model.model.", "the prefix of a model with a PEFT adapter; merge the adapter and save the model"},
      {"pretrained_model.", "the prefix of a model with a value head; save the model inside it"},
      {"v_head.", "the value head of a training with rewards; save the model without it"}};
  for (const auto& [start, origin] : kOrigins) {
    if (stored.starts_with(start)) return std::string(" (") + start + " is " + origin + ")";
  }
  return "";
}

}  // namespace

WeightNames::WeightNames(const WeightFiles& weights, const nn::Parts& parts, const std::string& prefix)
    : weights_(weights), prefix_(prefix) {
  std::set<std::string> expected;
  for (const nn::Matrix* matrix : parts.matrices) expected.insert(matrix->name);
  for (const Param* vector : parts.vectors) expected.insert(vector->name);
  bool with = false, without = false;
  for (const std::string& name : weights.Names()) {
    const bool prefixed = name.starts_with(prefix);
    const std::string own = prefixed ? name.substr(prefix.size()) : name;
    if (IsBuffer(own)) continue;
    if (expected.contains(own) && !own.starts_with("lm_head.")) (prefixed ? with : without) = true;
    stored_name_[own] = name;
  }
  prefixed_ = with;
  if (with && without) {
    throw std::runtime_error(weights.file() + ": expected all tensor names with the prefix " + prefix +
                             " or none, found both");
  }
}

void WeightNames::FailMissing(const std::string& name) const {
  for (const auto& [own, stored] : stored_name_) {
    if (!own.ends_with("." + name)) continue;
    throw std::runtime_error(weights_.file() + ": expected the tensor " + name + " with the prefix " + prefix_ +
                             " or none, found " + io::QuoteName(stored) + Origin(stored));
  }
  throw std::runtime_error(weights_.file() + ": the tensor " + weights_.OwnName(name) + " is missing");
}

std::string WeightNames::Take(const std::string& name, const Shape& shape) {
  const auto it = stored_name_.find(name);
  if (it == stored_name_.end()) FailMissing(name);
  const std::string stored = it->second;
  const Shape found = weights_.ShapeOf(stored);
  if (found != shape) {
    throw std::runtime_error(weights_.FileOf(stored) + ": expected " + weights_.OwnName(name) + " of shape " +
                             shape.ToString() + ", found " + found.ToString());
  }
  stored_name_.erase(it);
  return stored;
}

void WeightNames::RefuseLeftovers() const {
  if (stored_name_.empty()) return;
  const auto& [own, stored] = *stored_name_.begin();
  const bool alone = prefixed_ && own == stored && !own.starts_with("lm_head.");
  const std::string without = alone ? ", and it has no prefix " + prefix_ : "";
  throw std::runtime_error(weights_.FileOf(stored) + ": the tensor " + io::QuoteName(weights_.OwnName(stored)) +
                           " belongs to no part of the model that its configuration describes" + without +
                           Origin(stored));
}

}  // namespace ampgrad::models
