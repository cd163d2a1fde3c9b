#include "models/tokenizer/bpe.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

// Refuses a wrong type, and fields that are wrong or not supported.
void CheckModel(const io::JsonValue& model) {
  // Old files have no type; a BPE is recognised by its merges.
  if (const io::JsonValue type = model.Field("type"); type.StringOr("BPE") != "BPE") type.Fail("\"BPE\"");
  if (model.Field("merges").null()) model.Field("merges").Fail("an array");
  if (const io::JsonValue dropout = model.Field("dropout"); !dropout.null() && dropout.json() != 0) {
    dropout.Fail("nothing or 0, as ids must not be random");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const io::JsonValue affix = model.Field(key); affix.StringOr("") != "") affix.Fail("nothing or \"\"");
  }
}

Vocabulary ReadVocabulary(const io::JsonValue& model) {
  CheckModel(model);
  Vocabulary vocabulary;
  vocabulary.Add(model.Field("vocab"));
  return vocabulary;
}

// The two tokens of a merge, as "a b" or as ["a", "b"].
std::pair<std::string, std::string> PartsOf(const nlohmann::json& merge, bool pairs, const io::JsonValue& merges,
                                            size_t rank) {
  if (pairs && merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  if (!pairs && merge.is_string()) {
    const std::string& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  merges.Fail("merge " + std::to_string(rank) + " to be " +
                  (pairs ? "an array of two tokens, as the first is" : "two tokens with one space between"),
              io::JsonValue::Shown(merge));
}

}  // namespace

Bpe::Bpe(const io::JsonValue& model)
    : vocabulary_(ReadVocabulary(model)), merges_(ReadMerges(model.Field("merges"), vocabulary_)) {
  if (const io::JsonValue unknown = model.Field("unk_token"); !unknown.null()) {
    unknown_ = vocabulary_.Id(unknown.String());
    if (!unknown_) unknown.Fail("a token of the vocabulary");
  }
  fuse_unknown_ = model.Field("fuse_unk").BooleanOr(false);
  ignore_merges_ = model.Field("ignore_merges").BooleanOr(false);
  token_of_byte_.fill(-1);
  if (!model.Field("byte_fallback").BooleanOr(false)) return;
  for (int byte = 0; byte < 256; ++byte) {
    char token[8];
    std::snprintf(token, sizeof(token), "<0x%02X>", byte);
    token_of_byte_[byte] = vocabulary_.Id(token).value_or(-1);
  }
}

MergeTable Bpe::ReadMerges(const io::JsonValue& merges, const Vocabulary& vocabulary) {
  if (!merges.json().is_array()) merges.Fail("an array");
  MergeTable table(merges.json().size());
  const bool pairs = !merges.json().empty() && merges.json()[0].is_array();
  uint32_t rank = 0;
  for (const nlohmann::json& merge : merges.json()) {
    // Some old files contain the first line of merges.txt.
    if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version")) continue;
    const auto [left, right] = PartsOf(merge, pairs, merges, rank);
    const auto id = [&](const std::string& token) {
      const std::optional<int> found = vocabulary.Id(token);
      if (!found) {
        merges.Fail("the parts and the result of merge " + std::to_string(rank) + " to be tokens of the vocabulary",
                    io::JsonValue::Shown(token));
      }
      return *found;
    };
    const int left_id = id(left), right_id = id(right);
    table.Set(left_id, right_id, {rank, id(left + right)});
    ++rank;
  }
  return table;
}

bool Bpe::AppendBytes(std::string_view character, std::vector<int>& tokens) const {
  for (const char byte : character) {
    if (token_of_byte_[static_cast<unsigned char>(byte)] < 0) return false;
  }
  for (const char byte : character) tokens.push_back(token_of_byte_[static_cast<unsigned char>(byte)]);
  return true;
}

void Bpe::Encode(std::string_view word, std::vector<int>& ids) const {
  if (ignore_merges_) {
    if (const std::optional<int> whole = vocabulary_.Id(word)) {
      ids.push_back(*whole);
      return;
    }
  }
  std::vector<int> tokens;
  bool after_unknown = false;
  for (size_t at = 0, size; at < word.size(); at += size) {
    const io::Utf8Character found = io::CharacterAt(word, at);
    size = found.size;
    const std::string_view character = word.substr(at, size);
    const std::optional<int> id = vocabulary_.Id(character);
    const bool known = id || AppendBytes(character, tokens);
    if (id) tokens.push_back(*id);
    if (!known && !unknown_) {
      char name[16];
      std::snprintf(name, sizeof(name), "U+%04X", static_cast<unsigned>(found.code_point));
      throw std::runtime_error("[tokenizer] expected characters that have a token, found " + std::string(name) + " '" +
                               std::string(character) + "'");
    }
    if (!known && !(fuse_unknown_ && after_unknown)) tokens.push_back(*unknown_);
    after_unknown = !known;
  }
  MergeAll(merges_, tokens);
  ids.insert(ids.end(), tokens.begin(), tokens.end());
}

}  // namespace ampgrad::models
