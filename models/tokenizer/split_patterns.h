#pragma once

#include <functional>
#include <string_view>

#include "tensor/io/json.h"

/// The regular expressions by which published tokenizers split a text into words. None is ever run: a few are
/// recognised by their text and matched by hand-written code.
namespace ampgrad::models {

using WordSink = std::function<void(std::string_view)>;

/// The patterns that `SplitterOf` knows. The last three are steps of llama.cpp's default pre-tokenizer.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kPunctuationPattern = R"([\p{P}\$\+<=>\^~\|]+)";
inline constexpr std::string_view kNumberPattern = R"(\p{N}+)";
inline constexpr std::string_view kThreeDigitsPattern = "[0-9][0-9][0-9]";

/// Splits a text as GPT-2's regular expression does: contractions ('s 't 're 've 'm 'll 'd); runs of letters, of
/// numbers or of other characters, each with the space before it, if any; and runs of whitespace, without their last
/// character if something follows. The joined words are the text.
void SplitLikeGpt2(std::string_view text, const WordSink& word);

/// Splits a text as Llama-3's does: contractions in either case; runs of letters with one character before them that is
/// no line break and no number; up to `digits` numbers (Llama-3: 3, Qwen-2: 1); runs of other characters with the space
/// before and the line breaks behind them; whitespace up to its last line break; and other whitespace as above.
void SplitLikeLlama3(std::string_view text, int digits, const WordSink& word);

/// The splitter of a Split step of a tokenizer.json. Throws std::runtime_error naming a pattern that is not known here,
/// or a behaviour that would not give the matches as words.
std::function<void(std::string_view text, const WordSink& word)> SplitterOf(const io::JsonValue& step);

}  // namespace ampgrad::models
