#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tensor/io/json.h"

/// What is written beside the weights of a model: its configuration, tokenizer, special tokens, generation settings.
namespace ampgrad::models {

/// A JSON object, and where it stands, for messages.
struct ModelText {
  nlohmann::json json;
  std::string file;

  io::JsonValue value() const { return io::JsonValue(json, file); }
};

/// "config.json", "tokenizer.json", "tokenizer_config.json" or "generation_config.json" of a model: that file of a
/// directory (`io::OwnFile`), or what a GGUF file says in its place. None where a directory has no such file. Throws
/// std::runtime_error when it is malformed.
std::optional<ModelText> ReadModelText(const std::filesystem::path& model, const std::string& name);
/// The same, but throws std::runtime_error where there is none.
ModelText RequireModelText(const std::filesystem::path& model, const std::string& name);

}  // namespace ampgrad::models
