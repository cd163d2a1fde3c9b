#include "models/gguf/gguf_values.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "models/gguf/gguf_tokenizer.h"
#include "models/tokenizer/split_patterns.h"
#include "tensor/io/json.h"

namespace ampgrad::models {
namespace {

using nlohmann::json;

[[noreturn]] void Refuse(const std::string& what) {
  throw std::runtime_error("[gguf] expected a tokenizer that GGUF can describe, found " + what);
}

// The steps of a component: those of a Sequence, the component itself, or none for null.
std::vector<json> Steps(const json& component, const char* key) {
  if (component.is_null()) return {};
  if (component.value("type", "") == "Sequence") return component.at(key).get<std::vector<json>>();
  return {component};
}

bool IsType(const json& step, const char* type) { return step.value("type", "") == type; }

std::string Pattern(const json& step) {
  return IsType(step, "Split") ? step.value("pattern", json::object()).value("Regex", "") : "";
}

// llama.cpp's name of the steps that split a text before its bytes become characters.
std::string PreTokenizerName(const json& tokenizer) {
  const std::vector<json> steps = Steps(tokenizer.value("pre_tokenizer", json()), "pretokenizers");
  if (steps.empty() || !IsType(steps.back(), "ByteLevel")) Refuse("one whose last step of splitting is not ByteLevel");
  const bool splits = steps.back().value("use_regex", true);
  if (steps.size() == 1 && splits) return "gpt-2";
  if (steps.size() == 2 && IsType(steps[0], "Digits") && steps[0].value("individual_digits", false) && splits) {
    return "smollm";
  }
  if (steps.size() == 3 && IsType(steps[0], "Digits") && Pattern(steps[1]) == kGpt2Pattern && !splits) return "smollm";
  if (steps.size() == 2 && !splits) {
    const std::string pattern = Pattern(steps[0]);
    if (pattern == kGpt2Pattern) return "gpt-2";
    if (pattern == kLlama3Pattern) return "llama-bpe";
    if (pattern == kQwen2Pattern) return "qwen2";
  }
  if (steps.size() == 5 && Pattern(steps[0]) == kPunctuationPattern) return "default";
  Refuse("one that splits a text in another way than GPT-2, Llama-3, SmolLM and Qwen-2");
}

// A merge, "a b" or ["a", "b"].
std::pair<std::string, std::string> Parts(const json& merge) {
  if (merge.is_array()) return {merge[0], merge[1]};
  const std::string text = merge;
  const size_t space = text.find(' ');
  return {text.substr(0, space), text.substr(space + 1)};
}

// The tokens of a tokenizer by id, with llama.cpp's types.
struct TokenList {
  std::vector<std::string> texts;
  std::vector<int32_t> types;

  TokenList(const json& tokenizer, Index rows) {
    for (Index id = 0; id < rows; ++id) texts.push_back("[PAD" + std::to_string(id) + "]");
    types.assign(texts.size(), kUnused);
    for (const auto& [text, id] : tokenizer.at("model").at("vocab").items()) Set(id, text, kNormal);
    for (const json& added : tokenizer.value("added_tokens", json::array())) {
      Set(added.at("id"), added.at("content"), added.value("special", false) ? kControl : kUserDefined);
    }
  }

  void Set(Index id, const std::string& text, int32_t type) {
    if (id >= static_cast<Index>(texts.size())) Refuse("token " + text + ", for which the model has no row");
    texts[static_cast<size_t>(id)] = text;
    types[static_cast<size_t>(id)] = type;
  }

  std::map<std::string, Index> Ids() const {
    std::map<std::string, Index> ids;
    for (size_t i = 0; i < texts.size(); ++i) ids[texts[i]] = static_cast<Index>(i);
    return ids;
  }
};

// Scores by which llama.cpp merges in the order of the file: those of a token are minus the place of its first merge.
std::vector<float> ScoresOf(const json& merges, const TokenList& tokens) {
  std::map<std::string, Index> ids = tokens.Ids();
  std::vector<float> scores(tokens.texts.size(), 0);
  std::string last;
  float rank = 0;
  for (const json& merge : merges) {
    const auto [left, right] = Parts(merge);
    const std::string whole = left + right;
    float& score = scores[static_cast<size_t>(ids.at(whole))];
    if (whole != last && score != 0) Refuse("merges that make the token " + whole + " at two ranks, not at its score");
    if (whole != last) score = --rank;
    last = whole;
  }
  return scores;
}

// Whether a text gets a space at its start.
bool PrefixesSpace(const json& tokenizer) {
  for (const json& step : Steps(tokenizer.value("normalizer", json()), "normalizers")) {
    if (IsType(step, "Prepend")) return true;
  }
  for (const json& step : Steps(tokenizer.value("pre_tokenizer", json()), "pretokenizers")) {
    if (IsType(step, "Metaspace")) return step.value("prepend_scheme", "always") != "never";
    if (IsType(step, "ByteLevel")) return step.value("add_prefix_space", false);
  }
  return false;
}

// Whether the post-processor puts a token before a text, and after it.
std::pair<bool, bool> AddsTokens(const json& tokenizer) {
  bool text = false, before = false, after = false;
  for (const json& step : Steps(tokenizer.value("post_processor", json()), "processors")) {
    if (!IsType(step, "TemplateProcessing")) continue;
    for (const json& item : step.at("single")) {
      if (item.contains("Sequence")) {
        text = true;
      } else {
        (text ? after : before) = true;
      }
    }
  }
  return {before, after};
}

// The first of the ids under a key of config.json, or null.
json FirstId(const json& config, const std::string& key) {
  const json ids = config.value(key, json());
  return !ids.is_array() ? ids : ids.empty() ? json() : ids[0];
}

// The id of a special token: by its text in tokenizer_config.json, else by its id in config.json.
void AddNamedToken(const char* key, const std::string& gguf_key, const json& tokenizer_config, const json& config,
                   const std::map<std::string, Index>& ids, io::GgufValues& values) {
  json token = tokenizer_config.value(key, json());
  if (token.is_object()) token = token.value("content", json());
  const bool named = token.is_string() && ids.contains(token);
  const json id = named ? json(ids.at(token)) : FirstId(config, std::string(key) + "_id");
  if (id.is_number_integer()) values.emplace_back("tokenizer.ggml." + gguf_key, id.get<uint32_t>());
}

}  // namespace

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

io::GgufValues TokenizerValues(const json& tokenizer, const json& tokenizer_config, const json& config, Index rows) {
  TokenList tokens(tokenizer, rows);
  const json& model = tokenizer.at("model");
  const std::map<std::string, Index> ids = tokens.Ids();
  const bool has_bytes = ids.contains("<0x00>") && model.value("byte_fallback", false);
  const bool scored = has_bytes || ids.contains(kSpaceMark);
  io::GgufValues values = {{"tokenizer.ggml.model", std::string(scored ? "llama" : "gpt2")}};
  if (scored) {
    if (const json unknown = model.value("unk_token", json()); unknown.is_string()) {
      const Index id = ids.at(unknown);
      tokens.types[static_cast<size_t>(id)] = kUnknown;
      values.emplace_back("tokenizer.ggml.unknown_token_id", static_cast<uint32_t>(id));
    }
    for (size_t i = 0; i < tokens.texts.size(); ++i) {
      if (tokens.types[i] == kNormal && tokens.texts[i].size() == 6 && tokens.texts[i].starts_with("<0x")) {
        tokens.types[i] = kByte;
      }
    }
    values.emplace_back("tokenizer.ggml.pre", std::string("default"));
    values.emplace_back("tokenizer.ggml.scores", ScoresOf(model.at("merges"), tokens));
  } else {
    std::vector<std::string> merges;
    for (const json& merge : model.at("merges")) merges.push_back(Parts(merge).first + " " + Parts(merge).second);
    values.emplace_back("tokenizer.ggml.pre", PreTokenizerName(tokenizer));
    values.emplace_back("tokenizer.ggml.merges", merges);
  }
  values.emplace_back("tokenizer.ggml.tokens", tokens.texts);
  values.emplace_back("tokenizer.ggml.token_type", tokens.types);
  AddNamedToken("bos_token", "bos_token_id", tokenizer_config, config, ids, values);
  AddNamedToken("eos_token", "eos_token_id", tokenizer_config, config, ids, values);
  AddNamedToken("pad_token", "padding_token_id", tokenizer_config, config, ids, values);
  const auto [before, after] = AddsTokens(tokenizer);
  values.emplace_back("tokenizer.ggml.add_bos_token", before);
  values.emplace_back("tokenizer.ggml.add_eos_token", after);
  values.emplace_back("tokenizer.ggml.add_space_prefix", PrefixesSpace(tokenizer));
  if (const json text = tokenizer_config.value("chat_template", json()); text.is_string()) {
    values.emplace_back("tokenizer.chat_template", text.get<std::string>());
  }
  return values;
}

}  // namespace ampgrad::models
