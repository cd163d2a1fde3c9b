#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/tokenizer/bpe_merge.h"
#include "tests/support/small_tokenizers.h"

namespace ampgrad::models {
namespace {

using Tokens = std::vector<std::string>;

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// The definition: merges the leftmost pair of lowest rank, again and again.
std::vector<int> MergedSlowly(const MergeTable& merges, std::vector<int> tokens) {
  while (true) {
    const MergeTable::Merge* best = nullptr;
    size_t at = 0;
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      const MergeTable::Merge* merge = merges.Find(tokens[i], tokens[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) best = merge, at = i;
    }
    if (!best) return tokens;
    tokens[at] = best->result;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(MergeAll, EqualsTheDefinition) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    // Tokens are the strings of two letters up to a length, by index; merges are drawn among all pairs.
    Tokens strings = {"a", "b"};
    MergeTable merges(64);
    for (uint32_t rank = 0; rank < 12; ++rank) {
      const int left = static_cast<int>(random() % strings.size()), right = static_cast<int>(random() % strings.size());
      if (merges.Find(left, right)) continue;
      merges.Set(left, right, {rank, static_cast<int>(strings.size())});
      strings.push_back(strings[left] + strings[right]);
    }
    std::vector<int> tokens(random() % 40);
    for (int& token : tokens) token = static_cast<int>(random() % 2);
    std::vector<int> merged = tokens;
    MergeAll(merges, merged);
    ASSERT_EQ(merged, MergedSlowly(merges, tokens)) << round;
  }
}

TEST(MergeTable, FindsAllAndOnlyWhatWasSet) {
  MergeTable merges(1000);
  std::mt19937 random(1);
  std::set<std::pair<int, int>> set;
  for (uint32_t rank = 0; rank < 1000; ++rank) {
    const int left = static_cast<int>(random() % 300), right = static_cast<int>(random() % 300);
    if (set.insert({left, right}).second) merges.Set(left, right, {rank, left + right});
  }
  for (int left = 0; left < 300; ++left) {
    for (int right = 0; right < 300; ++right) {
      const MergeTable::Merge* merge = merges.Find(left, right);
      ASSERT_EQ(merge != nullptr, set.contains({left, right}));
      ASSERT_TRUE(!merge || merge->result == left + right);
    }
  }
}

TEST(Bpe, MergesByRankThenFromTheLeft) {
  EXPECT_EQ(TokensOf(SmallFile({"a", "b", "c", "ab", "bc"}, {"a b", "b c"}), "abc"), (Tokens{"ab", "c"}));
  EXPECT_EQ(TokensOf(SmallFile({"a", "b", "c", "ab", "bc"}, {"b c", "a b"}), "abc"), (Tokens{"a", "bc"}));
  EXPECT_EQ(TokensOf(SmallFile({"a", "aa"}, {"a a"}), "aaa"), (Tokens{"aa", "a"}));
  EXPECT_EQ(TokensOf(SmallFile({"a", "aa", "aaaa"}, {"a a", "aa aa"}), "aaaaaaa"), (Tokens{"aaaa", "aa", "a"}));
}

// A later merge of a pair replaces an earlier one, as in Hugging Face's library.
TEST(Bpe, LaterOfTwoMergesOfAPairCounts) {
  EXPECT_EQ(TokensOf(SmallFile({"a", "b", "c", "ab", "bc"}, {"a b", "b c", "a b"}), "abc"), (Tokens{"a", "bc"}));
}

TEST(Bpe, BothFormsOfMergesGiveTheSameIds) {
  Json pairs = LlamaLikeFile();
  for (Json& merge : pairs["model"]["merges"]) {
    const std::string text = merge;
    merge = Json::array({text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)});
  }
  EXPECT_EQ(pairs["model"]["merges"][1], (Json{"▁", "ab"}));
  for (const char* text : {"", "abc ab", "cab  abcabc", "a\u00E9b"}) {
    EXPECT_EQ(Small(pairs).Encode(text, true), Small(LlamaLikeFile()).Encode(text, true));
  }
  // The pairs may hold spaces; the line of a merges.txt that names its version is no merge.
  EXPECT_EQ(TokensOf(SmallFile({"a", " ", "a "}, Json::array({{"a", " "}})), "a a"), (Tokens{"a ", "a"}));
  EXPECT_EQ(TokensOf(SmallFile({"a", "b", "ab"}, {"#version: 0.2", "a b"}), "ab"), (Tokens{"ab"}));
}

TEST(Bpe, RefusesMergesNamingTheRank) {
  const auto error = [](const Json& merges) {
    return ReadError(SmallFile({"a", "b", "ab"}), [&](Json& file) { file["model"]["merges"] = merges; });
  };
  const std::string text = " to be two tokens with one space between, found ";
  const std::string pair = " to be an array of two tokens, as the first is, found ";
  EXPECT_EQ(error({"a"}), "expected merge 0" + text + "\"a\"");
  EXPECT_EQ(error({"a b", "a b c"}), "expected merge 1" + text + "\"a b c\"");
  EXPECT_EQ(error({"a b", ""}), "expected merge 1" + text + "\"\"");
  EXPECT_EQ(error({"a b", 7}), "expected merge 1" + text + "7");
  EXPECT_EQ(error(Json::array({Json::array({"a"})})), "expected merge 0" + pair + "[\"a\"]");
  EXPECT_EQ(error(Json::array({Json::array({"a", 1})})), "expected merge 0" + pair + "[\"a\",1]");
  EXPECT_EQ(error(Json::array({"a b", Json::array({"a", "b"})})), "expected merge 1" + text + "[\"a\",\"b\"]");
  EXPECT_EQ(error(Json::array({Json::array({"a", "b"}), "a b"})), "expected merge 1" + pair + "\"a b\"");
  const std::string missing = " to be tokens of the vocabulary, found ";
  EXPECT_EQ(error({"a b", "x b"}), "expected the parts and the result of merge 1" + missing + "\"x\"");
  EXPECT_EQ(error({"a b", "a y"}), "expected the parts and the result of merge 1" + missing + "\"y\"");
  EXPECT_EQ(error({"a b", "b a"}), "expected the parts and the result of merge 1" + missing + "\"ba\"");
  EXPECT_EQ(error({"a "}), "expected the parts and the result of merge 0" + missing + "\"\"");
  EXPECT_EQ(error("a b"), "expected model.merges to be an array, found \"a b\"");
}

TEST(Bpe, RefusesCharactersWithoutATokenNamingThem) {
  const Tokenizer letters = Small(SmallFile({"a", "b"}));
  const std::string start = "[tokenizer] expected characters that have a token, found ";
  EXPECT_EQ(ErrorOf([&] { letters.Encode("abc"); }), start + "U+0063 'c'");
  EXPECT_EQ(ErrorOf([&] { letters.Encode("a\U0001F600"); }), start + "U+1F600 '\U0001F600'");
  // Bytes stand in for a character only if each has its token; then the unknown token does, if there is one.
  Json file = LlamaLikeFile();
  file["model"]["vocab"].erase("<0xA9>");
  EXPECT_EQ(Small(file).Encode("\u00E8\u00E9x"), (std::vector<int>{259, 0xC3 + 3, 0xA8 + 3, 0, 'x' + 3}));
  file["model"]["unk_token"] = nullptr;
  EXPECT_EQ(Small(file).Encode("\u00E8"), (std::vector<int>{259, 0xC3 + 3, 0xA8 + 3}));
  EXPECT_EQ(ErrorOf([&] { Small(file).Encode("\u00E8\u00E9"); }), start + "U+00E9 '\u00E9'");
}

TEST(Bpe, FusesUnknownCharactersIfToldTo) {
  Json file = SmallFile({"<unk>", "a"});
  file["model"]["unk_token"] = "<unk>";
  EXPECT_EQ(Small(file).Encode("xyaz"), (std::vector<int>{0, 0, 1, 0}));
  file["model"]["fuse_unk"] = true;
  EXPECT_EQ(Small(file).Encode("xyaz"), (std::vector<int>{0, 1, 0}));
}

TEST(Bpe, TakesAWholeWordFirstIfToldToIgnoreMerges) {
  Json file = SmallFile({"a", "b", "ab", "ba", "aba"}, {"a b"});
  EXPECT_EQ(TokensOf(file, "aba"), (Tokens{"ab", "a"}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(TokensOf(file, "aba"), (Tokens{"aba"}));
  EXPECT_EQ(TokensOf(file, "abab"), (Tokens{"ab", "ab"}));
}

TEST(Bpe, RefusesWhatWouldChangeTheIds) {
  const auto error = [](const char* key, const Json& value) {
    return ReadError(SmallFile({"a"}), [&](Json& file) { file["model"][key] = value; });
  };
  EXPECT_EQ(error("type", "Unigram"), "expected model.type to be \"BPE\", found \"Unigram\"");
  EXPECT_EQ(error("dropout", 0.1), "expected model.dropout to be nothing or 0, as ids must not be random, found 0.1");
  EXPECT_EQ(error("continuing_subword_prefix", "##"),
            "expected model.continuing_subword_prefix to be nothing or \"\", found \"##\"");
  EXPECT_EQ(error("end_of_word_suffix", "</w>"),
            "expected model.end_of_word_suffix to be nothing or \"\", found \"</w>\"");
  EXPECT_EQ(error("unk_token", "<unk>"), "expected model.unk_token to be a token of the vocabulary, found \"<unk>\"");
  EXPECT_EQ(error("byte_fallback", 1), "expected model.byte_fallback to be true or false, found 1");
  for (const char* key : {"type", "dropout", "continuing_subword_prefix", "unk_token"})
    EXPECT_EQ(error(key, nullptr), "");
  EXPECT_EQ(error("dropout", 0.0), "");
  EXPECT_EQ(error("end_of_word_suffix", ""), "");
}

TEST(Bpe, EdgeTexts) {
  const Tokenizer tokenizer = Small(LlamaLikeFile());
  EXPECT_TRUE(tokenizer.Encode("").empty());
  EXPECT_EQ(tokenizer.Encode("", true), (std::vector<int>{1}));
  EXPECT_EQ(tokenizer.Encode(" "), (std::vector<int>{259, 259}));
  EXPECT_EQ(tokenizer.Encode("\n\n"), (std::vector<int>{259, 13, 13}));
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode("\n\n")), "\n\n");
}

// Processor time, so that other programs do not count.
TEST(Bpe, TimeIsNearLinear) {
  const Json file = SmallFile({"a", "aa", "aaaa", "b", "ab"}, {"a a", "aa aa", "a b"});
  const Tokenizer tokenizer = Small(file);
  const auto seconds = [&](size_t size) {
    const double start = CpuSeconds();
    const std::vector<int> ids = tokenizer.Encode(std::string(size, 'a'));
    EXPECT_EQ(ids, std::vector<int>(size / 4, 2));
    return CpuSeconds() - start;
  };
  const double small = seconds(1'000'000), large = seconds(10'000'000);
  EXPECT_LT(large, 30 * small + 0.1);  // quadratic: 100 times

  std::mt19937 random(1);
  std::string line;
  for (int i = 0; i < 1'000'000; ++i) line.push_back(random() % 2 ? 'a' : 'b');
  const double start = CpuSeconds();
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(line)), line);
  EXPECT_LT(CpuSeconds() - start, 5);  // seconds to spare under sanitizers; quadratic: minutes
}

}  // namespace
}  // namespace ampgrad::models
