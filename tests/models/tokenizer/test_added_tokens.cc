#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/small_tokenizers.h"

namespace ampgrad::models {
namespace {

using Tokens = std::vector<std::string>;
constexpr auto kText = Tokenizer::Markup::kText;
constexpr auto kTokens = Tokenizer::Markup::kTokens;

// One token "<x>", id 7, with these fields changed, over single characters.
Json WithToken(const Json& fields) {
  Json file = SmallFile({"a", "b", " ", "<", "x", ">", "_"});
  Json token = AddedTokenJson(7, "<x>");
  token.update(fields);
  file["added_tokens"] = Json::array({token});
  return file;
}

// What a user writes is text; what a template writes may be a token.
TEST(AddedTokens, SpecialOnesAreTextUnlessAskedFor) {
  const Tokenizer tokenizer = Small(LlamaLikeFile());
  const std::string text = "ab</s><0x41>▁c";
  const std::vector<int> as_text = {264,     '<' + 3, '/' + 3, 's' + 3, '>' + 3, '<' + 3, '0' + 3,
                                    'x' + 3, '4' + 3, '1' + 3, '>' + 3, 259,     262};
  EXPECT_EQ(tokenizer.Encode(text), as_text);
  EXPECT_EQ(tokenizer.Encode(text, false, kText), as_text);
  // Each piece between tokens is normalized separately, so that it starts with U+2581; <0x41> is never the byte token.
  const std::vector<int> as_tokens = {264, 2, 259, '<' + 3, '0' + 3, 'x' + 3, '4' + 3, '1' + 3, '>' + 3, 259, 262};
  EXPECT_EQ(tokenizer.Encode(text, false, kTokens), as_tokens);
  EXPECT_EQ(tokenizer.Decode(as_text), "ab</s><0x41> c");
  EXPECT_EQ(tokenizer.Decode(as_tokens, true), "ab <0x41> c");
  EXPECT_EQ(tokenizer.Decode(as_tokens, false), "ab</s> <0x41> c");
}

TEST(AddedTokens, OthersAreTokensAlways) {
  EXPECT_EQ(TokensOf(WithToken({{"special", false}}), "a<x>b", kText), (Tokens{"a", "<x>", "b"}));
  EXPECT_EQ(Small(WithToken({{"special", false}})).Decode({0, 7, 1}, true), "a<x>b");
  EXPECT_EQ(TokensOf(WithToken(Json::object()), "a<x>b", kText), (Tokens{"a", "<", "x", ">", "b"}));
  EXPECT_EQ(TokensOf(WithToken(Json::object()), "a<x>b", kTokens), (Tokens{"a", "<x>", "b"}));
  EXPECT_EQ(TokensOf(WithToken(Json::object()), "<x><x>", kTokens), (Tokens{"<x>", "<x>"}));
}

TEST(AddedTokens, TakeWhitespaceAlong) {
  EXPECT_EQ(TokensOf(WithToken({{"lstrip", true}}), "a  <x> b", kTokens), (Tokens{"a", "<x>", " ", "b"}));
  EXPECT_EQ(TokensOf(WithToken({{"rstrip", true}}), "a  <x> b", kTokens), (Tokens{"a", " ", " ", "<x>", "b"}));
  EXPECT_EQ(TokensOf(WithToken({{"rstrip", true}, {"lstrip", true}}), "\n<x> \u00A0<x> b", kTokens),
            (Tokens{"<x>", "<x>", "b"}));
}

TEST(AddedTokens, SingleWordsStandApart) {
  const Json file = WithToken({{"single_word", true}});
  EXPECT_EQ(TokensOf(file, "a <x> b", kTokens), (Tokens{"a", " ", "<x>", " ", "b"}));
  EXPECT_EQ(TokensOf(file, "<x>", kTokens), (Tokens{"<x>"}));
  EXPECT_EQ(TokensOf(file, "a<x>", kTokens), (Tokens{"a", "<", "x", ">"}));
  EXPECT_EQ(TokensOf(file, "<x>_", kTokens), (Tokens{"<", "x", ">", "_"}));
}

TEST(AddedTokens, LeftmostThenLongest) {
  Json file = SmallFile({"a", "b", "c"});
  file["added_tokens"] = {AddedTokenJson(3, "ab"), AddedTokenJson(4, "abc"), AddedTokenJson(5, "bcc")};
  EXPECT_EQ(TokensOf(file, "abcc", kTokens), (Tokens{"abc", "c"}));
  EXPECT_EQ(TokensOf(file, "abb", kTokens), (Tokens{"ab", "b"}));
  EXPECT_EQ(TokensOf(file, "bcc", kTokens), (Tokens{"bcc"}));
}

TEST(AddedTokens, NormalizedOnesAreFoundAfterNormalization) {
  Json file = SmallFile({"a", "_", "b"});
  file["normalizer"] = Json::parse(R"({"type": "Replace", "pattern": {"String": " "}, "content": "_"})");
  file["added_tokens"] = Json::array({AddedTokenJson(3, "a b")});
  file["added_tokens"][0]["normalized"] = true;
  EXPECT_EQ(TokensOf(file, "aa_bb", kTokens), (Tokens{"a", "a b", "b"}));
  file["added_tokens"][0]["normalized"] = false;
  EXPECT_EQ(TokensOf(file, "aa_bb", kTokens), (Tokens{"a", "a", "_", "b", "b"}));
  EXPECT_EQ(TokensOf(file, "aa bb", kTokens), (Tokens{"a", "a b", "b"}));
}

// Ids that other tokens have, and ids that leave a gap.
// Longer ones would make the search slow and its tree large.
TEST(AddedTokens, HaveAtMostAKibibyte) {
  EXPECT_EQ(TokensOf(WithToken({{"content", std::string(1024, 'a')}}), std::string(1025, 'a'), kTokens),
            (Tokens{std::string(1024, 'a'), "a"}));
  EXPECT_EQ(ErrorOf([] {
              Small(WithToken({{"content", std::string(1025, 'a')}}));
            }),
            "tokenizer.json: expected an added token of at most 1024 bytes, found 1025");
}

TEST(AddedTokens, RefusesWrongIds) {
  const auto error = [](const Json& tokens) {
    return ReadError(SmallFile({"a", "b", "<s>"}), [&](Json& file) { file["added_tokens"] = tokens; });
  };
  EXPECT_EQ(error({AddedTokenJson(2, "<s>"), AddedTokenJson(3, "<t>"), AddedTokenJson(4, "<u>")}), "");
  EXPECT_EQ(error(Json::array({AddedTokenJson(1, "<s>")})),
            "expected added_tokens[0].id to be 2, the vocabulary's id of \"<s>\", found 1");
  EXPECT_EQ(error({AddedTokenJson(3, "<t>"), AddedTokenJson(5, "<u>")}),
            "expected added_tokens[1].id to be 4, the next free id, for \"<u>\", found 5");
  EXPECT_EQ(error(Json::array({AddedTokenJson(1, "<t>")})),
            "expected added_tokens[0].id to be 3, the next free id, for \"<t>\", found 1");
  EXPECT_EQ(error(Json::array({AddedTokenJson(3, "")})),
            "expected added_tokens[0].content to be a string that is not empty, found \"\"");
  EXPECT_TRUE(error({AddedTokenJson(3, "<t>"), AddedTokenJson(4, "<t>")})
                  .starts_with("expected added_tokens[1] to be a token that does not stand above, found {"));
  for (const Json& id : {Json(-1), Json(uint64_t{1} << 32), Json(3.0), Json("3"), Json(nullptr)}) {
    Json token = AddedTokenJson(3, "<t>");
    token["id"] = id;
    EXPECT_EQ(error(Json::array({token})), "expected added_tokens[0].id to be an integer in 0..2147483646, found " +
                                               (id.is_null() ? "nothing" : id.dump()));
  }
  EXPECT_EQ(error("<t>"), "expected added_tokens to be an array, found \"<t>\"");
}

}  // namespace
}  // namespace ampgrad::models
