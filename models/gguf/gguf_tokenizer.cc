#include "models/gguf/gguf_tokenizer.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/tokenizer/split_patterns.h"

namespace ampgrad::models {
namespace {

using nlohmann::json;

std::string Key(const char* name) { return std::string("tokenizer.ggml.") + name; }

// The tokens of a file with their types.
class TokenTable {
 public:
  explicit TokenTable(const GgufModel& model) : model_(model) {
    const io::JsonValue tokens = model.Value(Key("tokens")), types = model.Value(Key("token_type"));
    for (const io::JsonValue& token : tokens.Items()) texts_.push_back(token.String());
    if (types.null()) {
      types_.assign(texts_.size(), kNormal);
    } else {
      for (const io::JsonValue& type : types.Items()) types_.push_back(type.Integer(0, 255));
    }
    if (types_.size() != texts_.size())
      types.Fail("as many as tokens, " + std::to_string(texts_.size()), std::to_string(types_.size()));
    for (size_t i = 0; i < texts_.size(); ++i) {
      if (!id_of_.emplace(texts_[i], static_cast<int>(i)).second) {
        tokens.Fail(Key("tokens") + " to differ", io::JsonValue::Shown(texts_[i]) + " twice");
      }
    }
  }

  Index size() const { return static_cast<Index>(texts_.size()); }
  const std::string& Text(Index id) const { return texts_[id]; }
  Index Type(Index id) const { return types_[id]; }
  bool Has(const std::string& text) const { return id_of_.contains(text); }
  bool HasType(Index type) const { return std::ranges::count(types_, type) > 0; }

  // The token whose id stands under a key, or -1.
  int Named(const char* name) const { return static_cast<int>(model_.Value(Key(name)).IntegerOr(-1, 0, size() - 1)); }

  json Vocabulary() const {
    json vocabulary = json::object();
    for (size_t i = 0; i < texts_.size(); ++i) vocabulary[texts_[i]] = i;
    return vocabulary;
  }

  // Tokens that are searched for in a text before it is split.
  json Added() const {
    json added = json::array();
    for (size_t i = 0; i < texts_.size(); ++i) {
      const bool special = types_[i] == kControl || types_[i] == kUnknown;
      if (!special && types_[i] != kUserDefined) continue;
      added.push_back({{"id", i},
                       {"content", texts_[i]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", special}});
    }
    return added;
  }

 private:
  const GgufModel& model_;
  std::vector<std::string> texts_;
  std::vector<Index> types_;
  std::unordered_map<std::string, int> id_of_;
};

// All pairs of tokens that join to a token, the token of the highest score first. Hugging Face's converter of
// SentencePiece models orders pairs alike: https://github.com/huggingface/transformers, convert_slow_tokenizer.py.
json MergesByScore(const GgufModel& model, const TokenTable& tokens) {
  const io::JsonValue scores = model.Value(Key("scores"));
  if (!scores.json().is_array() || static_cast<Index>(scores.json().size()) != tokens.size()) {
    scores.Fail("an array with a score for each of " + std::to_string(tokens.size()) + " tokens");
  }
  constexpr size_t kLongest = 512;  // bytes; longer tokens, which no text makes, would have too many pairs
  std::vector<std::pair<double, Index>> order;
  for (Index id = 0; id < tokens.size(); ++id) {
    if (tokens.Type(id) == kNormal && tokens.Text(id).size() <= kLongest) {
      order.emplace_back(-scores.Item(static_cast<size_t>(id)).Number(), id);
    }
  }
  std::ranges::sort(order);
  json merges = json::array();
  for (const auto& [score, id] : order) {
    const std::string& whole = tokens.Text(id);
    for (size_t at = 1; at < whole.size(); ++at) {
      const bool inside = (static_cast<unsigned char>(whole[at]) & 0xC0) == 0x80;  // of a character
      if (inside) continue;
      const std::string left = whole.substr(0, at), right = whole.substr(at);
      if (tokens.Has(left) && tokens.Has(right)) merges.push_back(json::array({left, right}));
    }
  }
  return merges;
}

json BpeModel(const TokenTable& tokens, json merges) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", tokens.Vocabulary()},
          {"merges", std::move(merges)}};
}

json Sequence(const char* items_key, json items) { return {{"type", "Sequence"}, {items_key, std::move(items)}}; }

// The template that puts the tokens before and after a text.
json TemplateOf(const TokenTable& tokens, bool add_begin, bool add_end) {
  json single = json::array(), special = json::object();
  const auto add = [&](const char* name) {
    const int id = tokens.Named(name);
    if (id < 0) return;
    const std::string& text = tokens.Text(id);
    single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
    special[text] = {{"id", text}, {"ids", {id}}, {"tokens", {text}}};
  };
  if (add_begin) add("bos_token_id");
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  if (add_end) add("eos_token_id");
  if (special.empty()) return nullptr;
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", single}, {"special_tokens", special}};
}

bool Flag(const GgufModel& model, const char* name, bool fallback) {
  return model.Value(Key(name)).BooleanOr(fallback);
}

json TokenizerWithScores(const GgufModel& model, const TokenTable& tokens) {
  json bpe = BpeModel(tokens, MergesByScore(model, tokens));
  if (const int unknown = tokens.Named("unknown_token_id"); unknown >= 0) bpe["unk_token"] = tokens.Text(unknown);
  bpe["fuse_unk"] = true;
  bpe["byte_fallback"] = tokens.HasType(kByte);
  json normalizers = json::array(), decoders = json::array();
  const bool prefix = Flag(model, "add_space_prefix", true);
  if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpaceMark}});
  normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceMark}});
  decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpaceMark}}}, {"content", " "}});
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {
      {"normalizer", Sequence("normalizers", normalizers)},
      {"pre_tokenizer", nullptr},
      {"post_processor", TemplateOf(tokens, Flag(model, "add_bos_token", true), Flag(model, "add_eos_token", false))},
      {"decoder", Sequence("decoders", decoders)},
      {"model", std::move(bpe)}};
}

json SplitStep(std::string_view pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

json DigitsStep() { return {{"type", "Digits"}, {"individual_digits", true}}; }

// The steps of llama.cpp's pre-tokenizers before bytes become characters (llama-vocab.cpp, by the same names).
json StepsOfPreTokenizer(const GgufModel& model) {
  const io::JsonValue name = model.Value(Key("pre"));
  const std::string pre = name.StringOr("default");
  if (pre == "gpt-2") return json::array({SplitStep(kGpt2Pattern)});
  if (pre == "llama-bpe") return json::array({SplitStep(kLlama3Pattern)});
  if (pre == "smollm") return json::array({DigitsStep(), SplitStep(kGpt2Pattern)});
  if (pre == "qwen2") return json::array({SplitStep(kQwen2Pattern)});
  if (pre != "default") name.Fail("\"default\", \"gpt-2\", \"llama-bpe\", \"smollm\" or \"qwen2\"");
  return json::array({SplitStep(kPunctuationPattern), SplitStep(kGpt2Pattern), SplitStep(kNumberPattern),
                      SplitStep(kThreeDigitsPattern)});
}

json TokenizerWithMerges(const GgufModel& model, const TokenTable& tokens) {
  const bool llama3 = model.Value(Key("pre")).StringOr("") == "llama-bpe";
  json bpe = BpeModel(tokens, model.Value(Key("merges")).json());
  bpe["ignore_merges"] = llama3;  // a word that is a token as a whole becomes it at once
  json steps = StepsOfPreTokenizer(model);
  json bytes = {{"type", "ByteLevel"},
                {"add_prefix_space", Flag(model, "add_space_prefix", false)},
                {"trim_offsets", true},
                {"use_regex", false}};
  steps.push_back(bytes);
  return {
      {"normalizer", nullptr},
      {"pre_tokenizer", Sequence("pretokenizers", steps)},
      {"post_processor", TemplateOf(tokens, Flag(model, "add_bos_token", llama3), Flag(model, "add_eos_token", false))},
      {"decoder", bytes},
      {"model", std::move(bpe)}};
}

}  // namespace

json TokenizerOf(const GgufModel& model) {
  const io::JsonValue kind = model.Value(Key("model"));
  if (kind.String() != "llama" && kind.String() != "gpt2") kind.Fail("\"llama\" or \"gpt2\"");
  const TokenTable tokens(model);
  json made = kind.String() == "llama" ? TokenizerWithScores(model, tokens) : TokenizerWithMerges(model, tokens);
  made["version"] = "1.0";
  made["truncation"] = nullptr;
  made["padding"] = nullptr;
  made["added_tokens"] = tokens.Added();
  return made;
}

json TokenizerConfigOf(const GgufModel& model) {
  const TokenTable tokens(model);
  json config = json::object();
  for (const char* name : {"bos_token", "eos_token", "unknown_token", "padding_token"}) {
    const int id = tokens.Named((std::string(name) + "_id").c_str());
    const std::string key = name == std::string("unknown_token")   ? "unk_token"
                            : name == std::string("padding_token") ? "pad_token"
                                                                   : name;
    if (id >= 0) config[key] = tokens.Text(id);
  }
  const io::JsonValue chat = model.Value("tokenizer.chat_template");
  if (!chat.null()) config["chat_template"] = chat.String();
  return config;
}

json GenerationConfigOf(const GgufModel& model) {
  // llama.cpp: llama_vocab::impl::load, the texts of tokens that end generation.
  static const std::set<std::string> kEnds = {"<|eot_id|>",    "<|im_end|>",    "<|end|>",
                                              "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
                                              "<EOT>",         "_<EOT>",        "<|eom_id|>"};
  const TokenTable tokens(model);
  std::set<int> ends;
  for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    if (tokens.Named(name) >= 0) ends.insert(tokens.Named(name));
  }
  for (Index id = 0; id < tokens.size(); ++id) {
    if (tokens.Type(id) != kNormal && kEnds.contains(tokens.Text(id))) ends.insert(static_cast<int>(id));
  }
  json config = json::object();
  if (!ends.empty()) config["eos_token_id"] = ends;
  return config;
}

}  // namespace ampgrad::models
