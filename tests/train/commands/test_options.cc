#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "train/commands/options.h"

namespace ampgrad::train {
namespace {

const std::vector<OptionSpec> kSpecs = {
    {"out", "DIR", nullptr, "directory to write"},
    {"steps", "N", "100", "optimiser steps"},
    {"log", "FILE", "", "write a log"},
    {"quiet", nullptr, "", "say less"},
};

/// The options of one call that gives the required one.
Options Parse(std::vector<std::string> words) {
  words.insert(words.begin(), {"--out", "dir"});
  return Options(kSpecs, words);
}

/// The message of the UsageError that `call` must end in.
std::string Refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

std::string RefusedWords(const std::vector<std::string>& words) {
  return Refusal([&] { Parse(words); });
}

TEST(Options, TakeValuesInBothForms) {
  const Options options = Parse({"--steps", "7", "--log=a=b", "--quiet"});
  EXPECT_EQ(options.String("out"), "dir");
  EXPECT_EQ(options.Integer("steps", 1, 10), 7);
  EXPECT_EQ(options.String("log"), "a=b");  // only the first = separates
  EXPECT_TRUE(options.Has("quiet"));
}

TEST(Options, FallBackToDefaults) {
  const Options options = Parse({});
  EXPECT_EQ(options.Integer("steps", 1, 1000), 100);
  EXPECT_TRUE(options.Has("steps"));
  EXPECT_FALSE(options.Has("log"));
  EXPECT_FALSE(options.Has("quiet"));
}

TEST(Options, AValueMayLookLikeAnything) {
  EXPECT_EQ(Parse({"--log", "--quiet"}).String("log"), "--quiet");
  EXPECT_EQ(Parse({"--log", "-1"}).String("log"), "-1");
  EXPECT_EQ(Parse({"--log", "two words"}).String("log"), "two words");
}

TEST(Options, RefuseWrongWords) {
  EXPECT_EQ(RefusedWords({"--step", "3"}), "unknown option --step");  // no abbreviations
  EXPECT_EQ(RefusedWords({"--nothing=3"}), "unknown option --nothing");
  EXPECT_EQ(RefusedWords({"--"}), "unknown option --");
  EXPECT_EQ(RefusedWords({"--Steps", "3"}), "unknown option --Steps");
  EXPECT_EQ(RefusedWords({"--steps", "3", "--steps", "3"}), "--steps stands twice");
  EXPECT_EQ(RefusedWords({"--steps=3", "--steps", "4"}), "--steps stands twice");
  EXPECT_EQ(RefusedWords({"--quiet", "--quiet"}), "--quiet stands twice");
  EXPECT_EQ(RefusedWords({"--steps"}), "--steps needs a value: N");
  EXPECT_EQ(RefusedWords({"--steps="}), "--steps needs a value: N");
  EXPECT_EQ(RefusedWords({"--log", ""}), "--log needs a value: FILE");
  EXPECT_EQ(RefusedWords({"--quiet=yes"}), "--quiet takes no value");
  EXPECT_EQ(RefusedWords({"--quiet="}), "--quiet takes no value");
  EXPECT_EQ(RefusedWords({"stray"}), "expected an option, found 'stray'");
  EXPECT_EQ(RefusedWords({"--quiet", "yes"}), "expected an option, found 'yes'");
  EXPECT_EQ(RefusedWords({"-steps", "3"}), "expected an option, found '-steps'");
  EXPECT_EQ(RefusedWords({""}), "expected an option, found ''");
  EXPECT_EQ(Refusal([] { Options(kSpecs, {"--steps", "3"}); }), "--out is missing");
}

std::string RefusedInteger(const std::string& text) {
  return Refusal([&] { Parse({"--steps=" + text}).Integer("steps", 1, 1000); });
}

TEST(Options, IntegersAreWholeAndInRange) {
  EXPECT_EQ(Parse({"--steps=1"}).Integer("steps", 1, 1000), 1);
  EXPECT_EQ(Parse({"--steps=1000"}).Integer("steps", 1, 1000), 1000);
  EXPECT_EQ(Parse({"--steps=-5"}).Integer("steps", -5, 5), -5);
  EXPECT_EQ(Parse({"--steps=007"}).Integer("steps", 1, 1000), 7);
  for (const char* text : {"0", "1001", "-1", "two", "1.5", "1.0", " 1", "1 ", "1e2", "1e9", "+1", "0x10", "1,2", "nan",
                           "inf", "-", "9223372036854775808", "99999999999999999999999", "١"}) {
    EXPECT_EQ(RefusedInteger(text), std::string("expected --steps to be an integer in 1..1000, found '") + text + "'");
  }
}

std::string RefusedNumber(const std::string& text) {
  return Refusal([&] { Parse({"--steps=" + text}).Number("steps", 0, 2.5); });
}

TEST(Options, NumbersAreFiniteAndInRange) {
  EXPECT_EQ(Parse({"--steps=0"}).Number("steps", 0, 2.5), 0);
  EXPECT_EQ(Parse({"--steps=2.5"}).Number("steps", 0, 2.5), 2.5);
  EXPECT_EQ(Parse({"--steps=1e-3"}).Number("steps", 0, 2.5), 1e-3);
  EXPECT_EQ(Parse({"--steps=.5"}).Number("steps", 0, 2.5), 0.5);
  for (const char* text : {"-1", "-1e-9", "2.6", "nan", "NaN", "-nan", "inf", "-inf", "infinity", "1e999", "two", " 1",
                           "1 ", "1,5", "+1", "0x1p0", "1e", "1..2", "--1"}) {
    EXPECT_EQ(RefusedNumber(text), std::string("expected --steps to be a number in 0..2.5, found '") + text + "'");
  }
}

TEST(Options, ListsAreCutAtCommas) {
  EXPECT_EQ(Parse({"--steps=4"}).Integers("steps", 1, 64), (std::vector<Index>{4}));
  EXPECT_EQ(Parse({"--steps=4,8,4"}).Integers("steps", 1, 64), (std::vector<Index>{4, 8, 4}));
  EXPECT_EQ(Parse({"--steps=1e-4,0.5"}).Numbers("steps", 0, 1), (std::vector<double>{1e-4, 0.5}));
  for (const auto& [list, part] : std::vector<std::pair<std::string, std::string>>{
           {"4,", ""}, {",4", ""}, {"4,,8", ""}, {"4, 8", " 8"}, {"4,0", "0"}, {"4,65", "65"}, {"4;8", "4;8"}}) {
    EXPECT_EQ(Refusal([&] { Parse({"--steps=" + list}).Integers("steps", 1, 64); }),
              "expected --steps to be a list of integers in 1..64, found '" + part + "'");
  }
  EXPECT_EQ(Refusal([] { Parse({"--steps=0.5,nan"}).Numbers("steps", 0, 1); }),
            "expected --steps to be a list of numbers in 0..1, found 'nan'");
}

TEST(Options, ChoicesAreListedWhenMissed) {
  EXPECT_EQ(Parse({"--log=full"}).Choice("log", {"full", "amplitude"}), "full");
  for (const char* text : {"Full", "ful", "full ", "full,amplitude"}) {
    EXPECT_EQ(Refusal([&] {
                Parse({std::string("--log=") + text}).Choice("log", {"full", "amplitude"});
              }),
              std::string("expected --log to be one of full, amplitude, found '") + text + "'");
  }
}

TEST(Options, DescriptionHasALineForEach) {
  EXPECT_EQ(DescribeOptions(kSpecs),
            "  --out DIR               directory to write (required)\n"
            "  --steps N               optimiser steps [100]\n"
            "  --log FILE              write a log\n"
            "  --quiet                 say less\n");
}

}  // namespace
}  // namespace ampgrad::train
