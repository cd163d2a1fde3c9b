#include "models/synth_gguf.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/gguf/gguf_tokenizer_values.h"
#include "models/gguf/gguf_values.h"
#include "models/gguf_model_writer.h"
#include "models/llama.h"
#include "models/tokenizer/tokenizer.h"
#include "tensor/io/gguf/gguf_names.h"
#include "tensor/io/gguf/gguf_writer.h"

namespace ampgrad::models {

// Rows of queries and keys keep their order: of made-up numbers every order is as good.
void WriteSynthGguf(const SynthModel& model, uint64_t seed, io::GgmlType type, const std::filesystem::path& file) {
  const nlohmann::json given = nlohmann::json::parse(model.config);
  if (given.at("model_type") != "llama") {
    throw std::invalid_argument("[synth] expected a Llama to write as GGUF, found " + given.at("model_type").dump());
  }
  const io::JsonValue value(given, "config.json");
  const nlohmann::json config = Llama(LlamaConfig::FromJson(value), Vectors::kAbsent).Config();
  io::GgufValues values = ConfigValues(config, "made up");
  const Index rows = config.at("vocab_size");
  for (auto& typed : TokenizerValues(Tokenizer::Bytes().ToJson(), nlohmann::json::object(), config, rows)) {
    values.push_back(std::move(typed));
  }
  const std::string prefix = "model.";
  std::vector<io::GgufTensorPlan> plans;
  for (const SynthTensor& tensor : model.tensors) {
    const std::string name = tensor.name.starts_with(prefix) ? tensor.name.substr(prefix.size()) : tensor.name;
    const io::GgmlType own = tensor.shape.rank() == 2 ? TypeForRows(tensor.shape.cols(), type) : io::GgmlType::kF32;
    plans.push_back({io::GgufName("llama", name).value(), own, tensor.shape});
  }
  io::GgufWriter writer(file, values, plans);
  for (size_t i = 0; i < plans.size(); ++i) {
    const StoredType stored = io::StoredTypeOf(plans[i].type);
    const Tensor numbers = SynthNumbers(model, i, seed);
    if (!HasBlocks(stored)) {
      writer.Write(numbers);
      continue;
    }
    const StoredTensor blocks = Rounded(numbers, stored);
    writer.WriteBlocks(blocks.data(), blocks.bytes());
  }
  writer.Commit();
}

}  // namespace ampgrad::models
