#include "models/gguf/gguf_tokenizer_values.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>

#include "models/gguf/gguf_tokenizer.h"
#include "models/gguf/gguf_values.h"
#include "models/tokenizer/split_patterns.h"
#include "tensor/io/json.h"
#include "tensor/io/note.h"

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
    const Index rows = static_cast<Index>(texts.size());
    if (id >= rows) {
      Refuse("token " + io::JsonValue::Shown(text) + " of id " + std::to_string(id) + " beyond the model's " +
             std::to_string(rows) + " rows");
    }
    texts[static_cast<size_t>(id)] = text;
    types[static_cast<size_t>(id)] = type;
  }

  std::map<std::string, Index> Ids() const {
    std::map<std::string, Index> ids;
    for (size_t i = 0; i < texts.size(); ++i) ids[texts[i]] = static_cast<Index>(i);
    return ids;
  }
};

// Scores by which llama.cpp merges in the order of the file: that of a token is minus the place of its first merge.
// llama.cpp merges any pair that joins to a token, so a token without a merge must have no such pair.
std::vector<float> ScoresOf(const json& merges, const TokenList& tokens) {
  const std::map<std::string, Index> ids = tokens.Ids();
  std::vector<float> scores(tokens.texts.size(), 0);
  std::set<std::pair<std::string, std::string>> pairs;
  std::string last;
  float rank = 0;
  for (const json& merge : merges) {
    const auto [left, right] = Parts(merge);
    const std::string whole = left + right;
    if (!ids.contains(whole)) Refuse("a merge to " + io::JsonValue::Shown(whole) + ", which is no token");
    float& score = scores[static_cast<size_t>(ids.at(whole))];
    if (whole != last && score != 0) {
      Refuse("merges that make the token " + io::JsonValue::Shown(whole) + " at two ranks, not at its score");
    }
    if (whole != last) score = --rank;
    last = whole;
    pairs.emplace(left, right);
  }
  size_t unlisted = 0;
  for (size_t id = 0; id < tokens.texts.size(); ++id) {
    if (tokens.types[id] != kNormal || tokens.texts[id].size() > kLongestMerged) continue;
    for (const auto& [left, right] : Splits(tokens.texts[id])) {
      if (!ids.contains(left) || !ids.contains(right) || pairs.contains({left, right})) continue;
      if (scores[id] == 0) {
        Refuse("no merge of " + io::JsonValue::Shown(left) + " and " + io::JsonValue::Shown(right) +
               ", which llama.cpp would merge");
      }
      ++unlisted;
    }
  }
  if (unlisted > 0) {
    io::Note("GGUF has scores in place of merges: of some texts llama.cpp may make other tokens, as it also merges " +
             std::to_string(unlisted) + " pairs that the tokenizer does not");
  }
  return scores;
}

bool IsReplacement(const json& step, const char* from, const char* to) {
  return IsType(step, "Replace") && step.value("pattern", json::object()).value("String", "") == from &&
         step.value("content", "") == to;
}

// llama.cpp brings no text into a normal form of Unicode.
void NoteNormalForm(const json& step) {
  io::Note("GGUF has no normalisation of Unicode: the file leaves out " + step.value("type", ""));
}

bool IsNormalForm(const json& step) {
  static const std::set<std::string> forms = {"NFC", "NFD", "NFKC", "NFKD"};
  return forms.contains(step.value("type", ""));
}

// Of a vocabulary with scores: whether a text gets a space at its start. Its spaces must become marks, and nothing else
// may change.
bool PrefixesSpace(const json& tokenizer, const TokenList& tokens) {
  const bool has_inner_marks =
      std::ranges::any_of(tokens.texts, [](const std::string& text) { return text.find(kSpaceMark, 1) != text.npos; });
  bool prefixes = false, marks = false;
  for (const json& step : Steps(tokenizer.value("normalizer", json()), "normalizers")) {
    if (IsNormalForm(step)) {
      NoteNormalForm(step);
    } else if (IsType(step, "Prepend") && step.value("prepend", "") == kSpaceMark && !marks) {
      prefixes = true;
    } else if (IsReplacement(step, " ", kSpaceMark)) {
      marks = true;
    } else {
      Refuse("the step of normalisation " + io::JsonValue::Shown(step));
    }
  }
  for (const json& step : Steps(tokenizer.value("pre_tokenizer", json()), "pretokenizers")) {
    if (!IsType(step, "Metaspace") || step.value("replacement", kSpaceMark) != kSpaceMark) {
      Refuse("the step of splitting " + io::JsonValue::Shown(step));
    }
    if (step.value("split", true) && has_inner_marks) Refuse("tokens of several words, of a text split at spaces");
    const bool old = !step.contains("prepend_scheme");
    const bool here = old ? step.value("add_prefix_space", true) : step.at("prepend_scheme") != "never";
    if (here) io::Note("llama.cpp puts a space before every text: here, before those alone that begin with none");
    marks = true;
    prefixes = prefixes || here;
  }
  if (!marks) Refuse("scores without a mark for each space");
  return prefixes;
}

// Of a vocabulary with merges: nothing may change a text before it is split.
void RequireNoChange(const json& tokenizer) {
  for (const json& step : Steps(tokenizer.value("normalizer", json()), "normalizers")) {
    if (!IsNormalForm(step)) Refuse("the step of normalisation " + io::JsonValue::Shown(step));
    NoteNormalForm(step);
  }
  for (const json& step : Steps(tokenizer.value("pre_tokenizer", json()), "pretokenizers")) {
    if (step.value("add_prefix_space", false)) Refuse("merges of a text with a space put before it");
  }
}

// Whether the post-processor puts the token `begin` before a text, and `end` after it; nothing else can be put there.
std::pair<bool, bool> AddsTokens(const json& tokenizer, const json& begin, const json& end) {
  std::vector<json> before, after;
  for (const json& step : Steps(tokenizer.value("post_processor", json()), "processors")) {
    if (IsType(step, "ByteLevel")) continue;
    if (!IsType(step, "TemplateProcessing")) Refuse("the post-processor " + step.value("type", ""));
    bool text = false;
    for (const json& item : step.at("single")) {
      if (item.contains("Sequence")) {
        text = true;
        continue;
      }
      const json& id = item.at("SpecialToken").at("id");
      for (const json& token : step.at("special_tokens").at(id.get<std::string>()).at("ids")) {
        (text ? after : before).push_back(token);
      }
    }
  }
  if (before.size() > 1 || after.size() > 1 || (!before.empty() && before[0] != begin) ||
      (!after.empty() && after[0] != end)) {
    Refuse("tokens around a text other than the begin and the end, " + begin.dump() + " and " + end.dump());
  }
  return {!before.empty(), !after.empty()};
}

// Ends of generation beside eos and `kept`: what llama.cpp does not know by its text gets one of two keys while there
// is a free one.
void AddEnds(const std::vector<int>& stops, const TokenList& tokens, const io::GgufValues& kept,
             io::GgufValues& values) {
  io::GgufValues all = kept;
  all.insert(all.end(), values.begin(), values.end());
  const auto known = [&](int id) {
    for (const auto& [key, value] : all) {
      const bool names_end =
          key.ends_with(".eos_token_id") || key.ends_with(".eot_token_id") || key.ends_with(".eom_token_id");
      if (names_end && value == io::GgufValue(static_cast<uint32_t>(id))) return true;
    }
    return EndTexts().contains(tokens.texts[static_cast<size_t>(id)]);
  };
  std::vector<std::string> keys = {"tokenizer.ggml.eom_token_id", "tokenizer.ggml.eot_token_id"};
  for (const int id : stops) {
    if (id < 0 || id >= static_cast<int>(tokens.texts.size()) || known(id)) continue;
    std::erase_if(keys, [&](const std::string& key) {
      return std::ranges::any_of(all, [&](const auto& value) { return value.first == key; });
    });
    if (keys.empty()) {
      io::Note("GGUF has no place for one more end of generation: llama.cpp will not stop at the token " +
               io::JsonValue::Shown(tokens.texts[static_cast<size_t>(id)]));
      continue;
    }
    values.emplace_back(keys.back(), static_cast<uint32_t>(id));
    all.push_back(values.back());
  }
}

// The id of a special token: by its text in tokenizer_config.json, else by its id in config.json. Null for none.
json AddNamedToken(const char* key, const std::string& gguf_key, const json& tokenizer_config, const json& config,
                   const std::map<std::string, Index>& ids, io::GgufValues& values) {
  json token = tokenizer_config.value(key, json());
  if (token.is_object()) token = token.value("content", json());
  const bool named = token.is_string() && ids.contains(token);
  const json id = named ? json(ids.at(token)) : FirstId(config, std::string(key) + "_id");
  if (!id.is_number_integer()) return nullptr;
  values.emplace_back("tokenizer.ggml." + gguf_key, id.get<uint32_t>());
  return id;
}

// Added tokens are found in a text as they are.
void NoteFlags(const json& tokenizer) {
  for (const json& added : tokenizer.value("added_tokens", json::array())) {
    for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
      if (!added.value(flag, false)) continue;
      io::Note(std::string("GGUF has no ") + flag + ": the file leaves it out of the token " +
               io::JsonValue::Shown(added.value("content", "")));
      return;
    }
  }
}

}  // namespace

io::GgufValues TokenizerValues(const json& tokenizer, const json& tokenizer_config, const json& config, Index rows,
                               const std::vector<int>& stops, const io::GgufValues& kept) {
  TokenList tokens(tokenizer, rows);
  const json& model = tokenizer.at("model");
  const std::map<std::string, Index> ids = tokens.Ids();
  const bool has_bytes = std::ranges::any_of(ids, [](const auto& token) { return IsByteToken(token.first); });
  const bool falls_back = has_bytes && model.value("byte_fallback", false);
  const bool scored = falls_back || ids.contains(kSpaceMark);
  io::GgufValues values = {{"tokenizer.ggml.model", std::string(scored ? "llama" : "gpt2")}};
  NoteFlags(tokenizer);
  bool prefixes = false;
  if (scored) {
    prefixes = PrefixesSpace(tokenizer, tokens);
    if (has_bytes && !falls_back) Refuse("tokens for bytes that are not used");
    if (const json unknown = model.value("unk_token", json()); unknown.is_string()) {
      const Index id = ids.at(unknown);
      tokens.types[static_cast<size_t>(id)] = kUnknown;
      values.emplace_back("tokenizer.ggml.unknown_token_id", static_cast<uint32_t>(id));
    }
    for (size_t i = 0; i < tokens.texts.size(); ++i) {
      if (tokens.types[i] == kNormal && IsByteToken(tokens.texts[i])) tokens.types[i] = kByte;
    }
    values.emplace_back("tokenizer.ggml.pre", std::string("default"));
    values.emplace_back("tokenizer.ggml.scores", ScoresOf(model.at("merges"), tokens));
  } else {
    RequireNoChange(tokenizer);
    std::vector<std::string> merges;
    for (const json& merge : model.at("merges")) merges.push_back(Parts(merge).first + " " + Parts(merge).second);
    values.emplace_back("tokenizer.ggml.pre", PreTokenizerName(tokenizer));
    values.emplace_back("tokenizer.ggml.merges", merges);
  }
  values.emplace_back("tokenizer.ggml.tokens", tokens.texts);
  values.emplace_back("tokenizer.ggml.token_type", tokens.types);
  const json begin = AddNamedToken("bos_token", "bos_token_id", tokenizer_config, config, ids, values);
  const json end = AddNamedToken("eos_token", "eos_token_id", tokenizer_config, config, ids, values);
  AddNamedToken("pad_token", "padding_token_id", tokenizer_config, config, ids, values);
  AddEnds(stops, tokens, kept, values);
  const auto [before, after] = AddsTokens(tokenizer, begin, end);
  values.emplace_back("tokenizer.ggml.add_bos_token", before);
  values.emplace_back("tokenizer.ggml.add_eos_token", after);
  values.emplace_back("tokenizer.ggml.add_space_prefix", prefixes);
  if (const json text = tokenizer_config.value("chat_template", json()); text.is_string()) {
    values.emplace_back("tokenizer.chat_template", text.get<std::string>());
  }
  return values;
}

}  // namespace ampgrad::models
