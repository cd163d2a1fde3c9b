#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/normalizer.h"
#include "models/tokenizer/vocabulary.h"

namespace ampgrad::models {

/// A token that is found in a text as it stands, before the text is split into words.
struct AddedToken {
  int id;
  std::string content;
  bool single_word;     // not beside a letter, digit, mark or underscore
  bool lstrip, rstrip;  // takes the whitespace before, after it along
  bool normalized;      // looked for after normalization, not before
  bool special;         // control token: <s>, </s>, …
};

/// The added_tokens of a tokenizer.json.
class AddedTokens {
 public:
  /// When a token is looked for: before or after normalization.
  enum class Stage { kRaw, kNormalized };
  /// A piece of a text: `token` and the text it took, or no token and the text between two of them (never empty).
  using Sink = std::function<void(std::optional<int> token, std::string_view piece)>;

  /// Reads the array. Throws std::runtime_error for a token without content, one that stands twice, an id other than the
  /// vocabulary's (for what is not in it: the next that is free, as in Hugging Face's library) or that is taken.
  AddedTokens(const io::JsonValue& items, const Vocabulary& vocabulary, const Normalizer& normalizer);

  /// Splits `text` at the tokens of a stage, the leftmost first, of those the longest; special ones only if `special`.
  void Split(std::string_view text, Stage stage, bool special, const Sink& sink) const;

  std::optional<int> Id(std::string_view content) const;
  /// Null for an id of no added token.
  const AddedToken* Token(int id) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  // A tree of the bytes of token texts.
  struct Node {
    std::map<char, int> children;  // indices of nodes
    int token = -1;                // index of the token that ends here
  };
  using Tree = std::vector<Node>;

  void AddToTree(Tree& tree, const std::string& content, int token);
  struct Match {
    int token;
    size_t size;
  };
  std::optional<Match> LongestAt(const Tree& tree, std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  std::map<std::string, int, std::less<>> by_content_;  // indices of tokens
  std::map<int, int> by_id_;
  Tree trees_[2];  // by Stage
};

}  // namespace ampgrad::models
