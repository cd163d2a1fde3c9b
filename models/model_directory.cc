#include "models/model_directory.h"

#include <stdlib.h>

#include <cerrno>
#include <map>
#include <set>
#include <stdexcept>

#include "models/atomic_file.h"
#include "models/gpt.h"
#include "models/json_file.h"
#include "models/safetensors.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<LanguageModel> MakeModel(const nlohmann::json& config, const std::string& file) {
  const std::string type = JsonObject(config, file).String("model_type", "");
  if (type == "gpt2") return std::make_unique<Gpt>(GptConfig::FromJson(config, file));
  throw std::runtime_error(file + ": expected model_type gpt2, found '" + type + "'");
}

// The causal-mask buffers of GPT-2 checkpoints, h.<i>.attn.bias and h.<i>.attn.masked_bias: no parameters.
bool IsMaskBuffer(const std::string& name) {
  return name.starts_with("h.") && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"));
}

// Maps a model's own tensor names to those of the file, which may all carry `prefix` ("lm_head" never does).
std::map<std::string, std::string> OwnNames(const SafetensorsReader& reader, const std::string& prefix,
                                            const std::string& file) {
  std::map<std::string, std::string> stored_name;
  bool with = false, without = false;
  for (const TensorEntry& entry : reader.header().entries) {
    const bool prefixed = entry.name.starts_with(prefix);
    const std::string own = prefixed ? entry.name.substr(prefix.size()) : entry.name;
    if (!own.starts_with("lm_head.")) (prefixed ? with : without) = true;
    if (!IsMaskBuffer(own)) stored_name[own] = entry.name;
  }
  if (with && without) {
    throw std::runtime_error(file + ": expected all tensor names with the prefix " + prefix + " or none, found both");
  }
  return stored_name;
}

Tensor ReadParameter(const SafetensorsReader& reader, std::map<std::string, std::string>& stored_name,
                     const std::string& name, const Shape& shape, const std::string& file) {
  const auto it = stored_name.find(name);
  if (it == stored_name.end()) throw std::runtime_error(file + ": the tensor " + name + " is missing");
  Tensor value = reader.ReadReal(it->second);
  if (value.shape() != shape) {
    throw std::runtime_error(file + ": expected " + name + " of shape " + shape.ToString() + ", found " +
                             value.shape().ToString());
  }
  stored_name.erase(it);
  return value;
}

}  // namespace

std::unique_ptr<LanguageModel> LoadModel(const fs::path& directory) {
  if (!fs::is_directory(directory)) throw std::runtime_error(directory.string() + ": no such model directory");
  const fs::path config_file = directory / "config.json", weights_file = directory / "model.safetensors";
  std::unique_ptr<LanguageModel> model = MakeModel(ReadJsonObject(config_file), config_file.string());
  const SafetensorsReader reader(weights_file);
  auto stored_name = OwnNames(reader, model->CheckpointPrefix(), weights_file.string());

  const nn::Parts parts = model->Parts();
  for (nn::Matrix* matrix : parts.matrices) {
    Tensor value = ReadParameter(reader, stored_name, matrix->name, matrix->StoredShape(), weights_file.string());
    matrix->form = std::make_unique<nn::Dense>(matrix->name, std::move(value), matrix->layout);
    if (matrix->copies > 1) stored_name.erase("lm_head.weight");  // tied: the vocabulary matrix serves as the head
  }
  for (Param* vector : parts.vectors) {
    vector->value = ReadParameter(reader, stored_name, vector->name, vector->value.shape(), weights_file.string());
  }
  if (!stored_name.empty()) {
    throw std::runtime_error(weights_file.string() + ": the tensor " + stored_name.begin()->second +
                             " belongs to no part of the model that config.json describes");
  }
  return model;
}

Tokenizer LoadTokenizer(const fs::path& directory, const LanguageModel& model) {
  const fs::path file = directory / "tokenizer.json";
  const Tokenizer tokenizer = Tokenizer::FromFile(file);
  if (tokenizer.vocabulary() > model.vocabulary()) {
    throw std::runtime_error(file.string() + ": expected ids below " + std::to_string(model.vocabulary()) +
                             ", the vocab_size of config.json, found " + std::to_string(tokenizer.vocabulary() - 1));
  }
  return tokenizer;
}

void SaveModel(const fs::path& directory, LanguageModel& model, const Tokenizer& tokenizer) {
  const std::string prefix = model.CheckpointPrefix();
  const auto checkpoint_name = [&](const std::string& name) {
    return name.starts_with("lm_head.") ? name : prefix + name;
  };
  std::vector<NamedTensor> tensors;
  const nn::Parts parts = model.Parts();
  for (const nn::Matrix* matrix : parts.matrices)
    tensors.push_back({checkpoint_name(matrix->name), matrix->form->Merged()});
  for (const Param* vector : parts.vectors) tensors.push_back({checkpoint_name(vector->name), vector->value});

  WriteSafetensors(directory / "model.safetensors", tensors, {{"format", "pt"}});
  WriteFileAtomically(directory / "tokenizer.json", tokenizer.ToJson().dump(1) + "\n");
  WriteFileAtomically(directory / "config.json", model.Config().dump(1) + "\n");
}

StagedDirectory::StagedDirectory(const fs::path& target) {
  std::error_code error;
  target_ = fs::weakly_canonical(fs::absolute(target), error);  // "out/", "out/." and links to directories included
  if (error) throw std::runtime_error(target.string() + ": cannot be created: " + error.message());
  if (!target_.has_filename()) target_ = target_.parent_path();
  const bool exists = fs::exists(target_, error);
  if (exists && !(fs::is_directory(target_, error) && fs::is_empty(target_, error))) {
    throw std::runtime_error(target.string() + ": exists already; expected a new or an empty directory");
  }
  RequireWritable(target_);
}

const fs::path& StagedDirectory::path() {
  if (!staging_.empty()) return staging_;
  std::error_code error;
  fs::create_directories(target_.parent_path(), error);
  std::string name = (target_.parent_path() / ("." + target_.filename().string() + ".partial-XXXXXX")).string();
  if (error || mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error(target_.string() + ": cannot be created: " +
                             (error ? error.message() : std::generic_category().message(errno)));
  }
  fs::permissions(name, fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec,
                  fs::perm_options::add, error);  // mkdtemp made it private
  staging_ = name;
  return staging_;
}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;  // nothing more can be done for a directory that resists
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

void StagedDirectory::Commit() {
  std::error_code error;
  fs::rename(path(), target_, error);
  if (error) throw std::runtime_error(target_.string() + ": cannot be created: " + error.message());
  staging_.clear();
}

}  // namespace ampgrad::models
