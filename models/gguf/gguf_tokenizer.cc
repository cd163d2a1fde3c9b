#include "models/gguf/gguf_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/tokenizer/split_patterns.h"
#include "tensor/io/note.h"

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
      for (const std::string& text : texts_) types_.push_back(IsByteToken(text) ? kByte : kNormal);
    } else {
      for (const io::JsonValue& type : types.Items()) types_.push_back(type.Integer(0, 255));
    }
    if (types_.size() != texts_.size())
      types.Fail("as many as tokens, " + std::to_string(texts_.size()), std::to_string(types_.size()));
    for (size_t i = 0; i < texts_.size(); ++i) {
      // As llama.cpp does, but for texts such as "</s>", which a vocabulary may hold as parts of words.
      const bool plain = types_[i] == kNormal || types_[i] == kUserDefined;
      if (plain && texts_[i].starts_with("<|") && EndTexts().contains(texts_[i])) types_[i] = kControl;
      if (!IsToken(i)) continue;
      if (!id_of_.emplace(texts_[i], static_cast<int>(i)).second) {
        tokens.Fail(Key("tokens") + " to differ", io::JsonValue::Shown(texts_[i]) + " twice");
      }
    }
  }

  Index size() const { return static_cast<Index>(texts_.size()); }
  const std::string& Text(Index id) const { return texts_[id]; }
  Index Type(Index id) const { return types_[id]; }
  bool Has(const std::string& text) const { return id_of_.contains(text); }
  bool HasBytes() const {
    return std::ranges::any_of(id_of_, [](const auto& token) { return IsByteToken(token.first); });
  }

  // The token whose id stands under a key, or -1.
  int Named(const char* name) const { return NamedToken(model_, name); }

  json Vocabulary() const {
    json vocabulary = json::object();
    for (size_t i = 0; i < texts_.size(); ++i) {
      if (IsToken(i)) vocabulary[texts_[i]] = i;
    }
    return vocabulary;
  }

  // Tokens that are searched for in a text before it is split.
  json Added() const {
    json added = json::array();
    for (size_t i = 0; i < texts_.size(); ++i) {
      const bool special = types_[i] == kControl || types_[i] == kUnknown;
      if ((!special && types_[i] != kUserDefined) || !IsToken(i)) continue;
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
  // Whether an id has a token: not one that only fills a row of the embedding, as converters write it, and not "".
  bool IsToken(size_t id) const {
    return !texts_[id].empty() && !(types_[id] == kUnused && texts_[id] == "[PAD" + std::to_string(id) + "]");
  }

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
  std::vector<std::pair<double, Index>> order;
  for (Index id = 0; id < tokens.size(); ++id) {
    const double score = scores.Item(static_cast<size_t>(id)).Number();
    if (std::isnan(score)) scores.Fail("an array of numbers", "NaN at " + std::to_string(id));
    if (tokens.Type(id) == kNormal && tokens.Text(id).size() <= kLongestMerged) order.emplace_back(-score, id);
  }
  std::ranges::sort(order);
  json merges = json::array();
  double last_score = std::nan("");
  Index last = -1;  // token with merges
  bool tied = false;
  const size_t most = 65536 + 8 * static_cast<size_t>(tokens.size());  // vocabularies of languages have 2 to 3 a token
  for (const auto& [score, id] : order) {
    for (const auto& [left, right] : Splits(tokens.Text(id))) {
      if (!tokens.Has(left) || !tokens.Has(right)) continue;
      tied = tied || (score == last_score && id != last);
      last_score = score, last = id;
      if (merges.size() == most) {
        model.Value(Key("tokens")).Fail("tokens that join from at most " + std::to_string(most) + " pairs", "more");
      }
      const bool spaced = left.find(' ') != left.npos || right.find(' ') != right.npos;
      spaced ? merges.push_back(json::array({left, right})) : merges.push_back(left + ' ' + right);
    }
  }
  static std::set<std::string> noted;  // a command may read the file several times
  if (tied && noted.insert(model.file()).second) {
    io::Note(model.file() + ": some tokens have the same score; of their pairs llama.cpp merges the leftmost first, " +
             "and this program those of the smaller id");
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
  bpe["byte_fallback"] = tokens.HasBytes();
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

// The merges of the file but for those of or to what is no token, which llama.cpp never applies.
json KnownMerges(const GgufModel& model, const TokenTable& tokens) {
  json merges = json::array();
  for (const io::JsonValue& merge : model.Value(Key("merges")).Items()) {
    const std::string& text = merge.String();
    const size_t space = text.find(' ', 1);
    if (space == text.npos) continue;
    const std::string left = text.substr(0, space), right = text.substr(space + 1);
    if (tokens.Has(left) && tokens.Has(right) && tokens.Has(left + right)) merges.push_back(text);
  }
  return merges;
}

json TokenizerWithMerges(const GgufModel& model, const TokenTable& tokens) {
  const bool llama3 = model.Value(Key("pre")).StringOr("") == "llama-bpe";
  json bpe = BpeModel(tokens, KnownMerges(model, tokens));
  bpe["ignore_merges"] = llama3;  // a word that is a token as a whole becomes it at once
  json steps = StepsOfPreTokenizer(model);
  json bytes = {{"type", "ByteLevel"},
                {"add_prefix_space", false},  // llama.cpp reads add_space_prefix for vocabularies with scores alone
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

bool IsByteToken(const std::string& text) { return text.size() == 6 && text.starts_with("<0x") && text.ends_with(">"); }

std::vector<std::pair<std::string, std::string>> Splits(const std::string& token) {
  std::vector<std::pair<std::string, std::string>> splits;
  for (size_t at = 1; at < token.size(); ++at) {
    const bool inside = (static_cast<unsigned char>(token[at]) & 0xC0) == 0x80;  // of a character
    if (!inside) splits.emplace_back(token.substr(0, at), token.substr(at));
  }
  return splits;
}

const std::set<std::string>& EndTexts() {
  static const std::set<std::string> texts = {"<|eot_id|>",
                                              "<|im_end|>",
                                              "<|end|>",
                                              "<end_of_turn>",
                                              "<|endoftext|>",
                                              "<|end_of_text|>",
                                              "<EOT>",
                                              "_<EOT>",
                                              "<|eom_id|>",
                                              "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
                                              "</s>",
                                              "<eos>",
                                              "<|return|>",
                                              "<|call|>",
                                              "<|calls|>",
                                              "<|flush|>",
                                              "[EOT]",
                                              "[EOS]",
                                              "<end_of_utterance>",
                                              "<turn|>",
                                              "<|fim_pad|>",
                                              "<|repo_name|>",
                                              "<|file_sep|>"};
  return texts;
}

int NamedToken(const GgufModel& model, const std::string& name) {
  const io::JsonValue value = model.Value(Key(name.c_str()));
  const json& tokens = model.Value(Key("tokens")).json();
  const Index count = tokens.is_array() ? static_cast<Index>(tokens.size()) : INT32_MAX;
  Index id = value.IntegerOr(-1, INT32_MIN, UINT32_MAX);
  if (value.null() && tokens.is_array() && model.Value(Key("model")).StringOr("") == "llama") {
    if (name == "bos_token_id") id = 1;
    if (name == "eos_token_id") id = 2;
    if (name == "unknown_token_id") id = 0;
  }
  return id >= 0 && id < count ? static_cast<int>(id) : -1;
}

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
  const TokenTable tokens(model);
  std::set<int> ends;
  for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    if (tokens.Named(name) >= 0) ends.insert(tokens.Named(name));
  }
  for (Index id = 0; id < tokens.size(); ++id) {
    if (EndTexts().contains(tokens.Text(id))) ends.insert(static_cast<int>(id));
  }
  json config = json::object();
  if (!ends.empty()) config["eos_token_id"] = ends;
  return config;
}

}  // namespace ampgrad::models
