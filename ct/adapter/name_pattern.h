#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace ampgrad::ct {

/// A regular expression for names, as configurations of adapters hold them: literals, `.`, `\d`, `\w`, `\` before
/// punctuation, classes such as [0-9], groups, `|`, `*`, `+`, `?`, `^` and `$`, all with the meaning that they have in
/// Python. It may come from anybody: a match takes time in proportion to the length of the pattern times that of the
/// name, whatever they hold.
class NamePattern {
 public:
  /// Throws std::invalid_argument, which says what of `text` is malformed or not supported.
  explicit NamePattern(const std::string& text);

  /// Whether the pattern matches the whole name.
  bool Matches(std::string_view name) const;

  /// An instruction of a matcher that follows all ways at once. Targets are relative, so code can be moved as a whole.
  struct Step {
    enum class Kind { kCharacter, kStart, kEnd, kJump, kSplit } kind;
    std::bitset<128> characters;  // kCharacter: those that it takes
    int first = 1, second = 0;    // where to go on; a split goes both ways
  };

 private:
  std::vector<Step> steps_;
};

}  // namespace ampgrad::ct
