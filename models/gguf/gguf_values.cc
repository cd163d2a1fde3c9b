#include "models/gguf/gguf_values.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tensor/io/json.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {

using nlohmann::json;

// The first of the ids under a key of config.json, or null.
json FirstId(const json& config, const std::string& key) {
  const json ids = config.value(key, json());
  return !ids.is_array() ? ids : ids.empty() ? json() : ids[0];
}

io::GgufValues ConfigValues(const json& config, const std::string& name) {
  const std::string type = config.at("model_type");
  const auto count = [&](const char* key) { return config.at(key).get<uint32_t>(); };
  io::GgufValues values = {
      {"general.architecture", type}, {"general.type", std::string("model")}, {"general.name", name}};
  const auto add = [&](const std::string& key, io::GgufValue value) {
    values.emplace_back(type + "." + key, std::move(value));
  };
  if (type == "llama") {
    add("context_length", count("max_position_embeddings"));
    add("embedding_length", count("hidden_size"));
    add("block_count", count("num_hidden_layers"));
    add("feed_forward_length", count("intermediate_size"));
    add("attention.head_count", count("num_attention_heads"));
    add("attention.head_count_kv", count("num_key_value_heads"));
    add("attention.key_length", count("head_dim"));
    add("attention.value_length", count("head_dim"));
    add("attention.layer_norm_rms_epsilon", config.at("rms_norm_eps").get<float>());
    add("rope.dimension_count", count("head_dim"));
    add("rope.freq_base", config.at("rope_theta").get<float>());
    const json scaling = config.value("rope_scaling", json());
    if (!scaling.is_null() && scaling.value("rope_type", "") == "linear") {
      add("rope.scaling.type", std::string("linear"));
      add("rope.scaling.factor", scaling.at("factor").get<float>());
    }
  } else if (type == "gpt2") {
    add("context_length", count("n_positions"));
    add("embedding_length", count("n_embd"));
    add("block_count", count("n_layer"));
    const json inner = config.value("n_inner", json());
    add("feed_forward_length", inner.is_null() ? 4 * count("n_embd") : inner.get<uint32_t>());
    add("attention.head_count", count("n_head"));
    add("attention.layer_norm_epsilon", config.at("layer_norm_epsilon").get<float>());
  } else {
    throw std::runtime_error("[gguf] expected a model of the type llama or gpt2, found " + type);
  }
  add("vocab_size", count("vocab_size"));
  return values;
}

io::GgufValues SpecialTokenValues(const json& config) {
  io::GgufValues values;
  for (const std::string key : {"bos_token_id", "eos_token_id"}) {
    const json id = FirstId(config, key);
    if (id.is_number_integer()) values.emplace_back("tokenizer.ggml." + key, id.get<uint32_t>());
  }
  return values;
}

std::string ModelName(const std::filesystem::path& model) {
  std::filesystem::path path = std::filesystem::absolute(model).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  std::string name;
  io::AppendLossyUtf8((path.extension() == ".gguf" ? path.stem() : path.filename()).string(), true, name);
  return name;
}

io::GgufValues KeptValues(const GgufModel& model) {
  static const std::set<std::string> kOwn = {"general.architecture", "general.type", "general.alignment",
                                             "general.file_type", "general.quantization_version"};
  io::GgufValues values;
  for (const auto& [key, value] : model.parts()[0].header().values.items()) {
    const bool token = key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id");
    if (!token && (!key.starts_with("general.") || kOwn.contains(key))) continue;
    if (value.is_string()) {
      values.emplace_back(key, value.get<std::string>());
    } else if (value.is_boolean()) {
      values.emplace_back(key, value.get<bool>());
    } else if (value.is_number_unsigned() && value.get<uint64_t>() <= UINT32_MAX) {
      values.emplace_back(key, value.get<uint32_t>());
    } else if (value.is_array() && std::ranges::all_of(value, [](const json& item) { return item.is_string(); })) {
      values.emplace_back(key, value.get<std::vector<std::string>>());
    }
  }
  return values;
}

}  // namespace ampgrad::models
