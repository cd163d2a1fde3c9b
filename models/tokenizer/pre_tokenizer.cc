#include "models/tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "models/tokenizer/byte_map.h"
#include "models/tokenizer/metaspace.h"
#include "models/tokenizer/normalizer.h"
#include "models/unicode/unicode.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

std::string Mapped(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += CharacterOfByte()[static_cast<unsigned char>(byte)];
  return text;
}

// Each replacement starts a word, and so does the start of the text.
void SplitBefore(std::string_view text, std::string_view replacement, const WordSink& word) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(replacement, at + 1), text.size());
    word(text.substr(at, end - at));
    at = end;
  }
}

void SplitDigits(std::string_view text, bool individual, const WordSink& word) {
  const auto is_number = [&](size_t at) { return IsNumber(io::CharacterAt(text, at).code_point); };
  for (size_t at = 0, end; at < text.size(); at = end) {
    const bool number = is_number(at);
    end = at + io::CharacterAt(text, at).size;
    while (end < text.size() && is_number(end) == number && !(number && individual))
      end += io::CharacterAt(text, end).size;
    word(text.substr(at, end - at));
  }
}

void SplitBytes(std::string_view text, bool prefix_space, bool split, const WordSink& word) {
  const std::string prefixed = (prefix_space && !text.starts_with(' ') ? " " : "") + std::string(text);
  const WordSink map = [&](std::string_view piece) { word(Mapped(piece)); };
  split ? SplitLikeGpt2(prefixed, map) : map(prefixed);
}

void SplitSpaces(std::string_view text, const Metaspace& metaspace, bool first, const WordSink& word) {
  std::string replaced = ReplaceAll(text, " ", metaspace.replacement);
  const bool wanted =
      metaspace.prepend == Metaspace::Prepend::kAlways || (metaspace.prepend == Metaspace::Prepend::kFirst && first);
  if (wanted && !replaced.starts_with(metaspace.replacement)) replaced.insert(0, metaspace.replacement);
  metaspace.split ? SplitBefore(replaced, metaspace.replacement, word) : word(replaced);
}

}  // namespace

PreTokenizer::PreTokenizer(const io::JsonValue& item) {
  bool mapped = false;
  for (const io::JsonValue& step : StepsOf(item, "pretokenizers")) {
    const io::JsonValue type = step.Field("type");
    if (type.String() == "ByteLevel") {
      if (mapped) type.Fail("a step of another type, as bytes are mapped already");
      mapped = true;
      const bool prefix = step.Field("add_prefix_space").Boolean(), split = step.Field("use_regex").BooleanOr(true);
      steps_.push_back([=](auto text, bool, auto& next) { SplitBytes(text, prefix, split, next); });
    } else if (type.String() == "Metaspace") {
      steps_.push_back([m = Metaspace(step)](auto text, bool first, auto& next) { SplitSpaces(text, m, first, next); });
    } else if (type.String() == "Digits") {
      const bool individual = step.Field("individual_digits").BooleanOr(false);
      steps_.push_back([=](auto text, bool, auto& next) { SplitDigits(text, individual, next); });
    } else if (type.String() == "Split") {
      if (mapped) type.Fail("a step of another type, as bytes are mapped already");
      steps_.push_back([split = SplitterOf(step)](auto text, bool, auto& next) { split(text, next); });
    } else {
      type.Fail("\"ByteLevel\", \"Metaspace\", \"Digits\", \"Split\" or \"Sequence\"");
    }
  }
}

void PreTokenizer::Run(size_t step, std::string_view text, bool first, const WordSink& word) const {
  if (step == steps_.size()) return word(text);
  steps_[step](text, first, [&](std::string_view piece) {
    Run(step + 1, piece, first, word);
    first = false;
  });
}

}  // namespace ampgrad::models
