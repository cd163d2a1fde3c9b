#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "models/tokenizer/pre_tokenizer.h"
#include "tests/support/small_tokenizers.h"

namespace ampgrad::models {
namespace {

using Words = std::vector<std::string>;

Words Gpt2Words(const std::string& text) {
  Words words;
  SplitLikeGpt2(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

Words Split(const std::string& json, const std::string& text, bool first = true) {
  const Json file = Json::parse(json);
  Words words;
  PreTokenizer(io::JsonValue(file, "F")).Split(text, first, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

std::string SplitError(const std::string& json) {
  const Json file = {{"pre_tokenizer", Json::parse(json)}};
  return ErrorOf([&] { PreTokenizer(io::JsonValue(file, "F").Field("pre_tokenizer")); });
}

Words Llama3Words(const std::string& text, int digits = 3) {
  Words words;
  SplitLikeLlama3(text, digits, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

// What Hugging Face's library gives for Llama-3's pattern.
TEST(Llama3Split, EqualsThePattern) {
  EXPECT_EQ(Llama3Words("it'S'RE'lL'"), (Words{"it", "'S", "'RE", "'lL", "'"}));
  EXPECT_EQ(Llama3Words("a'\u017F b"), (Words{"a", "'\u017F", " b"}));  // the long s, too
  EXPECT_EQ(Llama3Words(" 'lllama"), (Words{" '", "lllama"}));
  EXPECT_EQ(Llama3Words("a\r\n\r\n b\n \n"), (Words{"a", "\r\n\r\n", " b", "\n \n"}));
  EXPECT_EQ(Llama3Words(" \n  z"), (Words{" \n", " ", " z"}));
  EXPECT_EQ(Llama3Words("x \u2028\n y"), (Words{"x", " \u2028\n", " y"}));
  EXPECT_EQ(Llama3Words("!\r\n\r\n  a"), (Words{"!\r\n\r\n", " ", " a"}));
  EXPECT_EQ(Llama3Words("\n\n  "), (Words{"\n\n", "  "}));
  EXPECT_EQ(Llama3Words(" \t\tx"), (Words{" \t", "\tx"}));
  EXPECT_EQ(Llama3Words("a\u200Db e\u0301x"), (Words{"a", "\u200Db", " e", "\u0301x"}));
  EXPECT_EQ(Llama3Words("½²Ⅷ12 1234"), (Words{"½²Ⅷ", "12", " ", "123", "4"}));
  EXPECT_EQ(Llama3Words("1 234,5", 1), (Words{"1", " ", "2", "3", "4", ",", "5"}));
}

TEST(PreTokenizer, RefusesOtherPatternsByName) {
  const std::string start = R"({"type": "Split", "invert": false, "behavior": )";
  EXPECT_EQ(SplitError(start + R"("Isolated", "pattern": {"Regex": "\\d+"}})"),
            R"(F: expected pre_tokenizer.pattern.Regex to be the pattern of GPT-2, Llama-3 or Qwen-2, found "\\d+")");
  EXPECT_EQ(SplitError(start + R"("Isolated", "pattern": {"String": " "}})"),
            "F: expected pre_tokenizer.pattern.Regex to be the pattern of GPT-2, Llama-3 or Qwen-2, found nothing");
  EXPECT_EQ(SplitError(start + R"("Removed", "pattern": {"Regex": "\\d+"}})"),
            "F: expected pre_tokenizer.behavior to be \"Isolated\", or \"Removed\" with invert, found \"Removed\"");
}

TEST(Gpt2Split, Contractions) {
  EXPECT_EQ(Gpt2Words("don't DON'T"), (Words{"don", "'t", " DON", "'", "T"}));
  EXPECT_EQ(Gpt2Words("'s't're've'm'll'd"), (Words{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}));
  EXPECT_EQ(Gpt2Words("...'s"), (Words{"...'", "s"}));  // the run of other characters swallows the apostrophe
  EXPECT_EQ(Gpt2Words("a 's"), (Words{"a", " '", "s"}));
  EXPECT_EQ(Gpt2Words("'tis 'x"), (Words{"'t", "is", " '", "x"}));
}

TEST(Gpt2Split, Whitespace) {
  EXPECT_EQ(Gpt2Words("a  b"), (Words{"a", " ", " b"}));
  EXPECT_EQ(Gpt2Words("a \n b"), (Words{"a", " \n", " b"}));
  EXPECT_EQ(Gpt2Words("a\n\nb"), (Words{"a", "\n", "\n", "b"}));
  EXPECT_EQ(Gpt2Words("a  \n"), (Words{"a", "  \n"}));
  EXPECT_EQ(Gpt2Words("   "), (Words{"   "}));
  EXPECT_EQ(Gpt2Words("a\u00A0b"), (Words{"a", "\u00A0", "b"}));
  EXPECT_EQ(Gpt2Words("a\u00A0\u3000b"), (Words{"a", "\u00A0", "\u3000", "b"}));
  EXPECT_EQ(Gpt2Words("a\rb"), (Words{"a", "\r", "b"}));
  EXPECT_EQ(Gpt2Words(" \u200Ba"), (Words{" \u200B", "a"}));  // zero width space is no whitespace
}

TEST(Gpt2Split, ClassesOfCharacters) {
  EXPECT_EQ(Gpt2Words("x½Ⅷ²y"), (Words{"x", "½Ⅷ²", "y"}));
  EXPECT_EQ(Gpt2Words("e\u0301a"), (Words{"e", "\u0301", "a"}));  // combining accents are other characters
  EXPECT_EQ(Gpt2Words("a\u200Db"), (Words{"a", "\u200D", "b"}));  // joiners, too
  EXPECT_EQ(Gpt2Words("\u0E17\u0E35\u0E48"), (Words{"\u0E17", "\u0E35\u0E48"}));  // and Thai vowel signs
  EXPECT_EQ(Gpt2Words("a1! b2?"), (Words{"a", "1", "!", " b", "2", "?"}));
  EXPECT_TRUE(Gpt2Words("").empty());
}

// Whatever the text, its words joined are the text, and none is empty.
TEST(Gpt2Split, WordsJoinedAreTheText) {
  std::mt19937 random(1);
  const Words alphabet = {" ", "\n", "'", "s",      "l",      "e",  "v",         "7",
                          "½", "!",  "é", "\u00A0", "\u0301", "日", "\U0001F600"};
  for (int round = 0; round < 2000; ++round) {
    std::string text, joined;
    for (int i = 0; i < 12; ++i) text += alphabet[random() % alphabet.size()];
    for (const std::string& word : Gpt2Words(text)) {
      ASSERT_FALSE(word.empty());
      joined += word;
    }
    ASSERT_EQ(joined, text);
  }
}

TEST(PreTokenizer, ByteLevel) {
  EXPECT_EQ(Split(R"({"type": "ByteLevel", "add_prefix_space": false})", "a b\n"), (Words{"a", "Ġb", "Ċ"}));
  EXPECT_EQ(Split(R"({"type": "ByteLevel", "add_prefix_space": true})", "a é"), (Words{"Ġa", "ĠÃ©"}));
  EXPECT_EQ(Split(R"({"type": "ByteLevel", "add_prefix_space": true})", " a"), (Words{"Ġa"}));
  EXPECT_EQ(Split(R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})", "a b"), (Words{"aĠb"}));
  EXPECT_EQ(SplitError(R"({"type": "ByteLevel"})"),
            "F: expected pre_tokenizer.add_prefix_space to be true or false, found nothing");
}

TEST(PreTokenizer, Metaspace) {
  const auto split = [](const std::string& fields, const std::string& text, bool first = true) {
    return Split(R"({"type": "Metaspace", "replacement": "▁")" + fields + "}", text, first);
  };
  EXPECT_EQ(split("", "a b"), (Words{"▁a", "▁b"}));  // always, and split, when nothing is said
  EXPECT_EQ(split("", "a  b "), (Words{"▁a", "▁", "▁b", "▁"}));
  EXPECT_EQ(split("", " a"), (Words{"▁a"}));  // starts with one already
  EXPECT_EQ(split("", "▁a"), (Words{"▁a"}));
  EXPECT_EQ(split(R"(, "split": false)", "a b"), (Words{"▁a▁b"}));
  EXPECT_EQ(split(R"(, "prepend_scheme": "always")", "a", false), (Words{"▁a"}));
  EXPECT_EQ(split(R"(, "prepend_scheme": "first")", "a"), (Words{"▁a"}));
  EXPECT_EQ(split(R"(, "prepend_scheme": "first")", "a b", false), (Words{"a", "▁b"}));
  EXPECT_EQ(split(R"(, "prepend_scheme": "never")", "a b"), (Words{"a", "▁b"}));
  EXPECT_EQ(split(R"(, "add_prefix_space": true)", "a"), (Words{"▁a"}));
  EXPECT_EQ(split(R"(, "add_prefix_space": false)", "a"), (Words{"a"}));
  EXPECT_EQ(split(R"(, "add_prefix_space": false, "prepend_scheme": "never")", "a"), (Words{"a"}));
}

TEST(PreTokenizer, RefusesMetaspaceThatContradictsItself) {
  const auto error = [](const std::string& fields) { return SplitError(R"({"type": "Metaspace", )" + fields + "}"); };
  EXPECT_EQ(error(R"("replacement": "▁", "add_prefix_space": false, "prepend_scheme": "first")"),
            "F: expected pre_tokenizer.prepend_scheme to be \"never\", as add_prefix_space is false, found \"first\"");
  EXPECT_EQ(error(R"("replacement": "▁", "prepend_scheme": "last")"),
            "F: expected pre_tokenizer.prepend_scheme to be \"first\", \"never\" or \"always\", found \"last\"");
  EXPECT_EQ(error(R"("replacement": "ab")"), "F: expected pre_tokenizer.replacement to be one character, found \"ab\"");
  EXPECT_EQ(error(R"("split": true)"), "F: expected pre_tokenizer.replacement to be a string, found nothing");
}

TEST(PreTokenizer, DigitsAndSequence) {
  EXPECT_EQ(Split(R"({"type": "Digits", "individual_digits": true})", "a12½b"), (Words{"a", "1", "2", "½", "b"}));
  EXPECT_EQ(Split(R"({"type": "Digits", "individual_digits": false})", "12a3"), (Words{"12", "a", "3"}));
  EXPECT_EQ(Split(R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
                      {"type": "ByteLevel", "add_prefix_space": false}]})",
                  "a 12"),
            (Words{"a", "Ġ", "1", "2"}));
  EXPECT_EQ(Split(R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": false},
                      {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]})",
                  "a12 b"),
            (Words{"▁a", "12", "▁b"}));
  EXPECT_EQ(Split("null", "a b"), (Words{"a b"}));
}

// Each step may lengthen a text: a few lines of a file must not turn it into gigabytes.
TEST(PreTokenizer, RefusesStepsThatPileUp) {
  Json steps = Json::array();
  for (int i = 0; i < 9; ++i) steps.push_back({{"type", "Digits"}});
  EXPECT_EQ(SplitError(Json{{"type", "Sequence"}, {"pretokenizers", steps}}.dump()).substr(0, 64),
            "F: expected pre_tokenizer.pretokenizers to be at most 8 steps, f");
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  EXPECT_EQ(
      SplitError(Json{{"type", "Sequence"}, {"pretokenizers", {bytes, bytes}}}.dump()),
      "F: expected pre_tokenizer.pretokenizers[1].type to be a step of another type, as bytes are mapped already, "
      "found \"ByteLevel\"");
}

}  // namespace
}  // namespace ampgrad::models
