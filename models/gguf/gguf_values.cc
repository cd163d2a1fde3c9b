#include "models/gguf/gguf_values.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
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

namespace {

// Whether an array has the type of T in all places, and is not empty.
template <class IsType>
bool AllAre(const json& array, const IsType& is_type) {
  return array.is_array() && !array.empty() && std::ranges::all_of(array, is_type);
}

// The value of a header as it can be written; none for nested arrays and for integers of more than 32 bits.
std::optional<io::GgufValue> ToGguf(const json& value) {
  const auto is_string = [](const json& item) { return item.is_string(); };
  const auto is_unsigned = [](const json& item) { return item.is_number_unsigned() && item <= UINT32_MAX; };
  const auto is_signed = [](const json& item) {
    return item.is_number_integer() && item >= INT32_MIN && item <= INT32_MAX;
  };
  const auto is_float = [](const json& item) { return item.is_number_float(); };
  if (is_string(value)) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>();
  if (is_unsigned(value)) return value.get<uint32_t>();
  if (is_signed(value)) return value.get<int32_t>();
  if (is_float(value)) return value.get<float>();
  if (AllAre(value, is_string)) return value.get<std::vector<std::string>>();
  if (AllAre(value, is_unsigned)) return value.get<std::vector<uint32_t>>();
  if (AllAre(value, is_signed)) return value.get<std::vector<int32_t>>();
  if (AllAre(value, is_float)) return value.get<std::vector<float>>();
  return std::nullopt;
}

}  // namespace

io::GgufValues KeptValues(const GgufModel& model, const std::string& prefix) {
  static const std::set<std::string> kNot = {"general.architecture",
                                             "general.type",
                                             "general.alignment",
                                             "general.file_type",
                                             "general.quantization_version",
                                             "tokenizer.ggml.scores",
                                             "tokenizer.ggml.merges",
                                             "tokenizer.ggml.precompiled_charsmap",
                                             "tokenizer.huggingface.json"};
  const size_t tokens = model.Value("tokenizer.ggml.tokens").json().size();
  io::GgufValues values;
  for (const auto& [key, value] : model.parts()[0].header().values.items()) {
    if (!key.starts_with(prefix) || kNot.contains(key)) continue;
    if (key.ends_with("_token_id")) {
      if (value.is_number_integer() && value >= 0 && value < tokens) values.emplace_back(key, value.get<uint32_t>());
    } else if (const auto kept = ToGguf(value)) {
      values.emplace_back(key, *kept);
    }
  }
  return values;
}

}  // namespace ampgrad::models
