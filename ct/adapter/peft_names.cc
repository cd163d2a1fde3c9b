#include "ct/adapter/peft_names.h"

namespace ampgrad::ct {

std::string PeftModule(const std::string& name, const std::string& prefix) {
  const std::string module = name.substr(0, name.rfind('.'));
  return name.starts_with("lm_head.") ? module : prefix + module;
}

bool IsEmbedding(const nn::Matrix& matrix) {
  return matrix.kind != nn::MatrixKind::kBlock && !matrix.name.starts_with("lm_head.");
}

UpdateNames PeftUpdateNames(const std::string& module, bool embedding) {
  const std::string start = kPeftStart + module;
  if (embedding) return {start + ".lora_embedding_A", start + ".lora_embedding_B", ""};
  return {start + ".lora_A.weight", start + ".lora_B.weight", start + ".lora_magnitude_vector"};
}

}  // namespace ampgrad::ct
