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

/// A token that is searched for in a text before the text is split into words.
struct AddedToken {
  int id;
  std::string content;
  bool single_word;     // not found beside a letter, digit, mark or underscore
  bool lstrip, rstrip;  // also takes the whitespace before (after) it
  bool normalized;      // searched for after normalization, not before
  bool special;         // <s>, </s>, …
};

/// The added_tokens of a tokenizer.json.
class AddedTokens {
 public:
  /// When a token is searched for: before or after normalization.
  enum class Stage { kRaw, kNormalized };
  /// Receives a piece of a text: a token and the text it takes, or no token and the text between tokens (never empty).
  using Sink = std::function<void(std::optional<int> token, std::string_view piece)>;

  /// Reads the array. A token must have its id in the vocabulary or, if it is not there, the next free id, as in
  /// Hugging Face's library. Throws std::runtime_error for another id, an id that is taken, an empty or repeated token,
  /// and one over 1 KiB, so that a search takes at most that many steps at each place of a text.
  AddedTokens(const io::JsonValue& items, const Vocabulary& vocabulary, const Normalizer& normalizer);

  /// Splits `text` at the tokens of a stage: the leftmost first, the longest of these; special ones only if `special`.
  void Split(std::string_view text, Stage stage, bool special, const Sink& sink) const;

  std::optional<int> Id(std::string_view content) const;
  /// Null when no added token has the id.
  const AddedToken* Token(int id) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  // A prefix tree of the bytes of the tokens. A node's children are a list.
  struct Node {
    char byte = 0;
    int child = -1, sibling = -1;  // indices of nodes
    int token = -1;                // index of the token that ends here
  };
  using Tree = std::vector<Node>;

  static int ChildOf(const Tree& tree, int node, char byte);
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
