#include "ct/adapter/name_pattern.h"

#include <stdexcept>
#include <utility>

namespace ampgrad::ct {
namespace {

using Step = NamePattern::Step;
using Code = std::vector<Step>;
using Characters = std::bitset<128>;

constexpr int kMaxDepth = 64;

int SizeOf(const Code& code) { return static_cast<int>(code.size()); }
void Append(Code& code, const Code& more) { code.insert(code.end(), more.begin(), more.end()); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWord(char c) { return IsDigit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <class Test>
Characters Those(Test test) {
  Characters set;
  for (int c = 0; c < 128; ++c) set[static_cast<size_t>(c)] = test(static_cast<char>(c));
  return set;
}

Characters Only(char c) {
  return Those([c](char other) { return other == c; });
}

// Reads a pattern from left to right and turns it into code.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  Code Whole() {
    for (const char c : text_) {
      if (c < ' ' || c > '~') throw std::invalid_argument("a character that is not printable ASCII is not supported");
    }
    Code code = Alternatives(0);
    if (!AtEnd()) throw std::invalid_argument("a ) closes nothing");
    return code;
  }

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  bool Sees(char c) const { return !AtEnd() && text_[at_] == c; }
  bool Take(char c) { return Sees(c) && ++at_; }
  char Next(const char* construct) {
    if (AtEnd()) throw std::invalid_argument(std::string(construct) + " is not complete");
    return text_[at_++];
  }

  // a|b|c: a split before each branch but the last, and a jump from its end to the end of all.
  Code Alternatives(int depth) {
    if (depth > kMaxDepth) throw std::invalid_argument("groups are nested deeper than " + std::to_string(kMaxDepth));
    std::vector<Code> branches;
    do branches.push_back(Sequence(depth));
    while (Take('|'));
    int left = -2;
    for (const Code& branch : branches) left += SizeOf(branch) + 2;
    Code code;
    for (size_t i = 0; i + 1 < branches.size(); ++i) {
      const int size = SizeOf(branches[i]);
      code.push_back({Step::Kind::kSplit, {}, 1, size + 2});
      Append(code, branches[i]);
      left -= size + 2;
      code.push_back({Step::Kind::kJump, {}, left + 1});
    }
    Append(code, branches.back());
    return code;
  }

  Code Sequence(int depth) {
    Code code;
    while (!AtEnd() && !Sees('|') && !Sees(')')) Append(code, Repeated(depth));
    return code;
  }

  // An atom with the * + ? behind it. A second ? asks for the shortest match, which changes nothing for whole names.
  Code Repeated(int depth) {
    const bool anchor = Sees('^') || Sees('$');
    Code code = Atom(depth);
    if (!Sees('*') && !Sees('+') && !Sees('?')) return code;
    if (anchor) throw std::invalid_argument("an anchor is repeated");
    const char repeat = text_[at_++];
    const int size = SizeOf(code);
    if (repeat == '+') code.push_back({Step::Kind::kSplit, {}, 1, -size});
    if (repeat == '*') code.push_back({Step::Kind::kJump, {}, -size - 1});
    if (repeat != '+') code.insert(code.begin(), {Step::Kind::kSplit, {}, 1, SizeOf(code) + 1});
    Take('?');
    if (Sees('*') || Sees('+') || Sees('?')) throw std::invalid_argument("what is repeated is repeated again");
    return code;
  }

  Code Atom(int depth) {
    const char c = text_[at_++];
    if (c == '(') return Group(depth);
    if (c == '^') return {{Step::Kind::kStart, {}}};
    if (c == '$') return {{Step::Kind::kEnd, {}}};
    if (c == '[') return {{Step::Kind::kCharacter, Class()}};
    if (c == '.') return {{Step::Kind::kCharacter, Characters().set()}};
    if (c == '\\') return {{Step::Kind::kCharacter, Escape()}};
    if (c == '*' || c == '+' || c == '?') throw std::invalid_argument(std::string(1, c) + " repeats nothing");
    if (c == '{') throw std::invalid_argument("{ is not supported");
    return {{Step::Kind::kCharacter, Only(c)}};
  }

  Code Group(int depth) {
    if (Take('?') && !Take(':')) throw std::invalid_argument("(? is not supported, except (?:");
    Code code = Alternatives(depth + 1);
    if (!Take(')')) throw std::invalid_argument("a ( is not closed");
    return code;
  }

  Characters Escape() {
    const char c = Next("\\");
    if (c == 'd') return Those(IsDigit);
    if (c == 'w') return Those(IsWord);
    if (IsWord(c) && c != '_') throw std::invalid_argument(std::string("\\") + c + " is not supported");
    return Only(c);
  }

  // What follows [, up to and with the ].
  Characters Class() {
    const bool others = Take('^');
    if (Sees(']')) throw std::invalid_argument("[] is not supported");
    Characters set;
    while (!Take(']')) {
      const char low = Next("[");
      const bool escaped = low == '\\';
      const Characters one = escaped ? Escape() : Only(low);
      set |= one;
      if (!Sees('-') || at_ + 1 == text_.size() || text_[at_ + 1] == ']') continue;
      ++at_;
      const char high = Next("[");
      if (escaped || high == '\\' || high < low) {
        throw std::invalid_argument("a range that is not of two characters in order is not supported");
      }
      set |= Those([low, high](char c) { return low <= c && c <= high; });
    }
    return others ? ~set : set;
  }

  const std::string& text_;
  size_t at_ = 0;
};

// The steps that characters can be read at, after some number of characters.
class Places {
 public:
  Places(const Code& code, size_t length) : code_(code), length_(length), seen_(code.size() + 1) {}

  // Adds step `i`, and all that it leads to without reading a character.
  void Add(size_t i, size_t characters) {
    open_.push_back(i);
    while (!open_.empty()) {
      const size_t step = open_.back();
      open_.pop_back();
      if (seen_[step] == characters + 1) continue;
      seen_[step] = characters + 1;
      if (step < code_.size()) Follow(step, characters);
    }
  }
  // The steps that read a character, among those added since the last call.
  std::vector<size_t> Take() { return std::exchange(readers_, {}); }
  bool IsDone(size_t characters) const { return seen_.back() == characters + 1; }

 private:
  void Follow(size_t i, size_t characters) {
    const Step& step = code_[i];
    if (step.kind == Step::Kind::kCharacter) return readers_.push_back(i);
    if (step.kind == Step::Kind::kStart && characters > 0) return;
    if (step.kind == Step::Kind::kEnd && characters < length_) return;
    open_.push_back(i + static_cast<size_t>(step.first));
    if (step.kind == Step::Kind::kSplit) open_.push_back(i + static_cast<size_t>(step.second));
  }

  const Code& code_;
  size_t length_;
  std::vector<size_t> seen_;  // by step: 1 + the number of characters after which it was added last; 0 for never
  std::vector<size_t> open_, readers_;
};

}  // namespace

NamePattern::NamePattern(const std::string& text) : steps_(Parser(text).Whole()) {}

bool NamePattern::Matches(std::string_view name) const {
  Places places(steps_, name.size());
  places.Add(0, 0);
  for (size_t i = 0; i < name.size(); ++i) {
    const auto character = static_cast<unsigned char>(name[i]);
    for (const size_t step : places.Take()) {
      if (character < 128 && steps_[step].characters[character]) places.Add(step + 1, i + 1);
    }
  }
  return places.IsDone(name.size());
}

}  // namespace ampgrad::ct
