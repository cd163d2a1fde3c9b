#include "models/tokenizer/added_tokens.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "models/unicode/unicode.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

constexpr size_t kLongest = 1024;  // bytes of a token

AddedToken ReadToken(const io::JsonValue& item, const Vocabulary& vocabulary, int next_id) {
  AddedToken token;
  const io::JsonValue id = item.Field("id"), content = item.Field("content");
  token.id = static_cast<int>(id.Integer(0, INT32_MAX - 1));
  token.content = content.NonEmptyString();
  const std::optional<int> known = vocabulary.Id(token.content);
  if (token.id != known.value_or(next_id)) {
    id.Fail(std::to_string(known.value_or(next_id)) +
            (known ? ", the vocabulary's id of " : ", the next free id, for ") + io::JsonValue::Shown(token.content));
  }
  token.single_word = item.Field("single_word").BooleanOr(false);
  token.lstrip = item.Field("lstrip").BooleanOr(false);
  token.rstrip = item.Field("rstrip").BooleanOr(false);
  token.special = item.Field("special").BooleanOr(false);
  token.normalized = item.Field("normalized").BooleanOr(!token.special);
  return token;
}

// Whether no word character is next to text[start, end).
bool IsSingleWord(std::string_view text, size_t start, size_t end) {
  const auto word_at = [&](size_t at) { return IsWord(io::CharacterAt(text, at).code_point); };
  return !(start > 0 && word_at(io::CharacterBefore(text, start))) && !(end < text.size() && word_at(end));
}

// Where the whitespace before `at` starts, at `first` or behind it.
size_t SkipWhitespaceBefore(std::string_view text, size_t first, size_t at) {
  while (at > first) {
    const size_t before = io::CharacterBefore(text, at);
    if (!IsWhitespace(io::CharacterAt(text, before).code_point)) break;
    at = before;
  }
  return at;
}

size_t SkipWhitespaceAfter(std::string_view text, size_t at) {
  while (at < text.size()) {
    const io::Utf8Character character = io::CharacterAt(text, at);
    if (!IsWhitespace(character.code_point)) break;
    at += character.size;
  }
  return at;
}

}  // namespace

AddedTokens::AddedTokens(const io::JsonValue& items, const Vocabulary& vocabulary, const Normalizer& normalizer) {
  if (items.null()) return;
  int next_id = static_cast<int>(vocabulary.tokens());
  for (const io::JsonValue& item : items.Items()) {
    const AddedToken token = ReadToken(item, vocabulary, next_id);
    const int index = static_cast<int>(tokens_.size());
    if (!by_content_.emplace(token.content, index).second) item.Fail("a token that does not stand above");
    const std::string* other = vocabulary.Token(token.id);
    if (other && *other != token.content)
      item.Field("id").Fail("an id that " + io::JsonValue::Shown(*other) + " has not");
    by_id_.emplace(token.id, index);
    if (token.id >= next_id) next_id = token.id + 1;
    const std::string looked_for = token.normalized ? normalizer.Apply(token.content) : token.content;
    if (std::max(token.content.size(), looked_for.size()) > kLongest) {
      item.Fail("an added token of at most " + std::to_string(kLongest) + " bytes",
                std::to_string(std::max(token.content.size(), looked_for.size())));
    }
    if (looked_for.empty()) item.Field("content").Fail("a string that the normalizer leaves something of");
    AddToTree(trees_[static_cast<int>(token.normalized ? Stage::kNormalized : Stage::kRaw)], looked_for, index);
    tokens_.push_back(token);
  }
}

int AddedTokens::ChildOf(const Tree& tree, int node, char byte) {
  int child = tree[node].child;
  while (child >= 0 && tree[child].byte != byte) child = tree[child].sibling;
  return child;
}

void AddedTokens::AddToTree(Tree& tree, const std::string& content, int token) {
  if (tree.empty()) tree.emplace_back();
  int node = 0;
  for (const char byte : content) {
    int child = ChildOf(tree, node, byte);
    if (child < 0) {
      child = static_cast<int>(tree.size());
      tree.push_back({.byte = byte, .sibling = tree[node].child});
      tree[node].child = child;
    }
    node = child;
  }
  if (tree[node].token < 0) tree[node].token = token;  // of two with the same normalized text, the first
}

std::optional<AddedTokens::Match> AddedTokens::LongestAt(const Tree& tree, std::string_view text, size_t at) const {
  std::optional<Match> match;
  int node = 0;
  for (size_t size = 0;; ++size) {
    if (tree[node].token >= 0) match = {tree[node].token, size};
    if (at + size == text.size()) return match;
    node = ChildOf(tree, node, text[at + size]);
    if (node < 0) return match;
  }
}

void AddedTokens::Split(std::string_view text, Stage stage, bool special, const Sink& sink) const {
  const Tree& tree = trees_[static_cast<int>(stage)];
  size_t given = 0;  // all before it has gone to the sink
  for (size_t at = 0; at < text.size() && !tree.empty();) {
    const std::optional<Match> match = LongestAt(tree, text, at);
    if (!match) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match->token];
    size_t start = at, end = at + match->size;
    at = end;  // a match that is rejected below is not searched again, either
    if (start < given || (token.special && !special)) continue;
    if (token.single_word && !IsSingleWord(text, start, end)) continue;
    if (token.lstrip) start = SkipWhitespaceBefore(text, given, start);
    if (token.rstrip) end = SkipWhitespaceAfter(text, end);
    if (given < start) sink(std::nullopt, text.substr(given, start - given));
    sink(token.id, text.substr(start, end - start));
    given = end;
  }
  if (given < text.size()) sink(std::nullopt, text.substr(given));
}

std::optional<int> AddedTokens::Id(std::string_view content) const {
  const auto it = by_content_.find(content);
  return it == by_content_.end() ? std::nullopt : std::optional(tokens_[it->second].id);
}

const AddedToken* AddedTokens::Token(int id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &tokens_[it->second];
}

}  // namespace ampgrad::models
