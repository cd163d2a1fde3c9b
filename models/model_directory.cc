#include "models/model_directory.h"

#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "models/gpt.h"
#include "models/llama.h"
#include "models/weight_files.h"
#include "nn/forms/frozen.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/printable.h"
#include "tensor/io/safetensors_header.h"
#include "tensor/io/safetensors_writer.h"
#include "tensor/io/text_file.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<LanguageModel> MakeModel(const fs::path& config_file) {
  const nlohmann::json json = io::ReadJsonObject(config_file);
  const io::JsonValue config(json, config_file.string()), type = config.Field("model_type");
  if (type.StringOr("") == "gpt2") return std::make_unique<Gpt>(GptConfig::FromJson(config));
  if (type.StringOr("") == "llama") return std::make_unique<Llama>(LlamaConfig::FromJson(config));
  type.Fail("\"gpt2\" or \"llama\"");
}

// Tensors of checkpoints that are no parameters: GPT-2's causal masks, h.<i>.attn.bias and h.<i>.attn.masked_bias, and
// the frequencies of older Llama files, layers.<i>.self_attn.rotary_emb.inv_freq.
bool IsBuffer(const std::string& name) {
  return (name.starts_with("h.") && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))) ||
         (name.starts_with("layers.") && name.ends_with(".self_attn.rotary_emb.inv_freq"));
}

// Maps a model's own tensor names to those of the file, which may all carry `prefix` ("lm_head" never does).
std::map<std::string, std::string> OwnNames(const WeightFiles& weights, const std::string& prefix) {
  std::map<std::string, std::string> stored_name;
  bool with = false, without = false;
  for (const std::string& name : weights.Names()) {
    const bool prefixed = name.starts_with(prefix);
    const std::string own = prefixed ? name.substr(prefix.size()) : name;
    if (!own.starts_with("lm_head.")) (prefixed ? with : without) = true;
    if (!IsBuffer(own)) stored_name[own] = name;
  }
  if (with && without) {
    throw std::runtime_error(weights.file() + ": expected all tensor names with the prefix " + prefix +
                             " or none, found both");
  }
  return stored_name;
}

// Returns the name of a tensor in the file, where it must have this shape, and marks it as taken. The shape is compared
// before any value is read, so a file of the wrong model fails at once.
std::string TakeName(const WeightFiles& weights, std::map<std::string, std::string>& stored_name,
                     const std::string& name, const Shape& shape) {
  const auto it = stored_name.find(name);
  if (it == stored_name.end()) throw std::runtime_error(weights.file() + ": the tensor " + name + " is missing");
  const std::string stored = it->second;
  const Shape found = weights.ShapeOf(stored);
  if (found != shape) {
    throw std::runtime_error(weights.FileOf(stored) + ": expected " + name + " of shape " + shape.ToString() +
                             ", found " + found.ToString());
  }
  stored_name.erase(it);
  return stored;
}

// The type of a matrix in a file: the type in which it is held, but none wider than F32.
StoredType FileType(const StoredTensor& weight) {
  return weight.type() == StoredType::kF64 ? StoredType::kF32 : weight.type();
}

// torch_dtype of a model: the type of its narrowest matrices.
const char* TorchType(StoredType type) {
  return type == StoredType::kBf16 ? "bfloat16" : type == StoredType::kF16 ? "float16" : "float32";
}

// Writes one tensor at a time: a matrix without parameters in the type in which it is held, all else as F32. Returns
// the narrowest type.
StoredType WriteWeights(const fs::path& file, LanguageModel& model) {
  const std::string prefix = model.CheckpointPrefix();
  const auto stored_name = [&](const std::string& name) { return name.starts_with("lm_head.") ? name : prefix + name; };
  std::vector<io::TensorPlan> plans;
  std::map<std::string, std::function<StoredTensor()>> value_of;
  StoredType narrowest = StoredType::kF32;
  const auto add = [&](const std::string& name, StoredType type, const Shape& shape,
                       std::function<StoredTensor()> value) {
    if (BytesOf(type) < BytesOf(narrowest)) narrowest = type;
    plans.push_back({stored_name(name), type, shape});
    value_of[stored_name(name)] = std::move(value);
  };
  const nn::Parts parts = model.Parts();
  for (const nn::Matrix* matrix : parts.matrices) {
    add(matrix->name, matrix->HasParameters() ? StoredType::kF32 : FileType(matrix->form->Merged()),
        matrix->StoredShape(), [matrix] { return matrix->form->Merged(); });
  }
  for (const Param* vector : parts.vectors) {
    add(vector->name, StoredType::kF32, vector->value.shape(), [vector] { return StoredTensor(vector->value); });
  }
  io::SafetensorsWriter writer(file, plans, {{"format", "pt"}});
  for (const io::TensorPlan& plan : writer.order()) writer.Write(value_of.at(plan.name)());
  writer.Commit();
  return narrowest;
}

}  // namespace

std::unique_ptr<LanguageModel> LoadModel(const fs::path& directory) {
  if (!fs::is_directory(directory)) throw std::runtime_error(directory.string() + ": no such model directory");
  std::unique_ptr<LanguageModel> model = MakeModel(directory / "config.json");
  const WeightFiles weights(directory);
  for (const std::string& note : weights.notes()) {
    std::fprintf(stderr, "ampgrad: note: %s\n", io::Shortened(io::Printable(note), 2000).c_str());
  }
  auto stored_name = OwnNames(weights, model->CheckpointPrefix());

  const nn::Parts parts = model->Parts();
  for (nn::Matrix* matrix : parts.matrices) {
    const std::string stored = TakeName(weights, stored_name, matrix->name, matrix->StoredShape());
    matrix->form = std::make_unique<nn::Frozen>(weights.ReadStored(stored), matrix->layout);
    if (matrix->copies > 1) stored_name.erase("lm_head.weight");  // tied: the vocabulary matrix serves as the head
  }
  for (Param* vector : parts.vectors) {
    vector->value = weights.ReadReal(TakeName(weights, stored_name, vector->name, vector->value.shape()));
  }
  if (!stored_name.empty()) {
    const std::string& name = stored_name.begin()->second;
    throw std::runtime_error(weights.FileOf(name) + ": the tensor " + name +
                             " belongs to no part of the model that config.json describes");
  }
  return model;
}

Tokenizer LoadTokenizer(const fs::path& directory, const LanguageModel& model) {
  const fs::path file = directory / "tokenizer.json";
  nlohmann::json json = io::ReadJsonObject(file);
  for (const char* key : {"truncation", "padding"}) {
    if (!io::JsonValue(json, file.string()).Has(key)) continue;
    std::fprintf(stderr, "ampgrad: note: %s: its %s is not applied; sequences have the length that options say\n",
                 io::Printable(file.string()).c_str(), key);
    json[key] = nullptr;
  }
  const Tokenizer tokenizer = Tokenizer::FromJson(json, file.string());
  if (tokenizer.vocabulary() > model.vocabulary()) {
    throw std::runtime_error(file.string() + ": expected at most " + std::to_string(model.vocabulary()) +
                             " tokens, as the model has, found " + std::to_string(tokenizer.vocabulary()) +
                             ": it is the tokenizer of another model");
  }
  return tokenizer;
}

TokenSettings::TokenSettings(const fs::path& base) {
  const nlohmann::json config = io::ReadJsonObject(base / "config.json");
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    ids[key] = config.value(key, nlohmann::json());
  }
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "generation_config.json"}) {
    if (fs::exists(base / name)) files[name] = io::ReadTextFile(base / name);
  }
}

void SaveModel(const fs::path& directory, LanguageModel& model, const Tokenizer& tokenizer,
               const std::optional<TokenSettings>& base) {
  io::RequireUnchangedFiles();
  nlohmann::json config = model.Config();
  if (base) {
    for (const auto& [key, id] : base->ids) {
      config.erase(key);
      if (!id.is_null()) config[key] = id;
    }
    for (const auto& [name, content] : base->files) io::WriteFileAtomically(directory / name, content);
  }
  config["torch_dtype"] = TorchType(WriteWeights(directory / "model.safetensors", model));
  io::WriteFileAtomically(directory / "tokenizer.json", tokenizer.ToJson().dump(1) + "\n");
  io::WriteFileAtomically(directory / "config.json", config.dump(1) + "\n");
  io::RequireUnchangedFiles();  // weights that do not train were read once more
}

}  // namespace ampgrad::models
