#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <stdexcept>
#include <string>

#include "ct/adapter/name_pattern.h"
#include "tensor/random.h"
#include "tests/support/files.h"

/// Regular expressions of the simple kind, against std::regex where it can be trusted: on short texts.
namespace ampgrad::ct {
namespace {

std::string Error(const std::string& pattern) {
  return MessageOf({}, [&] { NamePattern{pattern}; });
}

TEST(NamePattern, MatchesWholeNamesOnly) {
  const NamePattern pattern("model\\.layers\\.\\d+\\.self_attn\\.[qv]_proj");
  EXPECT_TRUE(pattern.Matches("model.layers.0.self_attn.q_proj"));
  EXPECT_TRUE(pattern.Matches("model.layers.31.self_attn.v_proj"));
  EXPECT_FALSE(pattern.Matches("model.layers.0.self_attn.k_proj"));
  EXPECT_FALSE(pattern.Matches("model.layers.0.self_attn.q_proj.lora_A"));
  EXPECT_FALSE(pattern.Matches("base.model.layers.0.self_attn.q_proj"));
  EXPECT_FALSE(pattern.Matches("modelxlayers.0.self_attn.q_proj"));
  EXPECT_FALSE(pattern.Matches("model.layers..self_attn.q_proj"));
}

TEST(NamePattern, AnchorsHoldAtTheEndsOfTheName) {
  EXPECT_TRUE(NamePattern("(.*\\.)?(^model.q)").Matches("model.q"));
  EXPECT_FALSE(NamePattern("(.*\\.)?(^model.q)").Matches("a.model.q"));
  EXPECT_TRUE(NamePattern("^a$|b$").Matches("b"));
  EXPECT_FALSE(NamePattern("a$b").Matches("ab"));
  EXPECT_TRUE(NamePattern("(a|^)+b").Matches("aab"));
}

TEST(NamePattern, NamesMayHoldAnyBytes) {
  EXPECT_FALSE(NamePattern("a.").Matches("a\xFF"));
  EXPECT_TRUE(NamePattern("").Matches(""));
  EXPECT_FALSE(NamePattern("").Matches("a"));
}

TEST(NamePattern, SaysWhatIsWrong) {
  EXPECT_EQ(Error(".*\\.(q_proj"), "a ( is not closed");
  EXPECT_EQ(Error("a)b"), "a ) closes nothing");
  EXPECT_EQ(Error("*a"), "* repeats nothing");
  EXPECT_EQ(Error("a(|+)"), "+ repeats nothing");
  EXPECT_EQ(Error("a**"), "what is repeated is repeated again");
  EXPECT_EQ(Error("a+?+"), "what is repeated is repeated again");
  EXPECT_EQ(Error("^*"), "an anchor is repeated");
  EXPECT_EQ(Error("a{2}"), "{ is not supported");
  EXPECT_EQ(Error("(?!vision).*"), "(? is not supported, except (?:");
  EXPECT_EQ(Error("\\bq_proj"), "\\b is not supported");
  EXPECT_EQ(Error("a\\"), "\\ is not complete");
  EXPECT_EQ(Error("[a"), "[ is not complete");
  EXPECT_EQ(Error("[]"), "[] is not supported");
  EXPECT_EQ(Error("[z-a]"), "a range that is not of two characters in order is not supported");
  EXPECT_EQ(Error("[\\d-z]"), "a range that is not of two characters in order is not supported");
  EXPECT_EQ(Error("caf\xC3\xA9"), "a character that is not printable ASCII is not supported");
  EXPECT_EQ(Error(std::string(70, '(') + std::string(70, ')')), "groups are nested deeper than 64");
  EXPECT_EQ(Error("(?:a|b)?[^a-c\\.-]\\_\\w"), "");
}

// Random patterns of characters that mean something: std::regex says what they mean, where it takes them at all.
TEST(NamePattern, AgreesWithTheStandardLibrary) {
  const std::string alphabet = "ab.()|*+?[]^-$\\d1";
  const Random random(3, 0);
  uint64_t draw = 0;
  const auto text = [&](const std::string& characters, Index longest) {
    std::string chosen;
    for (Index size = random.Below(draw++, longest + 1); size > 0; --size) {
      chosen += characters[static_cast<size_t>(random.Below(draw++, static_cast<Index>(characters.size())))];
    }
    return chosen;
  };
  int matches = 0, compared = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string written = text(alphabet, 8);
    if (!Error(written).empty()) continue;
    std::regex theirs;
    try {
      theirs = std::regex(written);
    } catch (const std::regex_error&) {
      continue;
    }
    const NamePattern ours(written);
    for (int j = 0; j < 10; ++j) {
      const std::string name = text("ab.1", 5);
      const bool expected = std::regex_match(name, theirs);
      EXPECT_EQ(ours.Matches(name), expected) << written << " on " << name;
      matches += expected;
      ++compared;
    }
  }
  EXPECT_GT(compared, 50'000);
  EXPECT_GT(matches, 5'000);
}

// A matcher that tries one way after the other takes 2^2000 steps for the first of these.
TEST(NamePattern, TakesTimeInProportionToItsLengths) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(NamePattern("(a|a)*(((a*)*)*)*b").Matches(std::string(2000, 'a')));
  std::string many;
  for (int i = 0; i < 2000; ++i) many += ".*";
  EXPECT_TRUE(NamePattern(many).Matches(std::string(2000, 'a')));
  std::string names = "a";
  for (int i = 0; i < 50'000; ++i) names += "|a" + std::to_string(i);
  EXPECT_TRUE(NamePattern(names).Matches("a49999"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace ampgrad::ct
