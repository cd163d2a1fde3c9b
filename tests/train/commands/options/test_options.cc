#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"
#include "train/commands/options/options.h"

namespace ampgrad::train {
namespace {

const std::vector<OptionSpec> kSpecs = {
    {"out", "DIR", nullptr, "directory to write"},
    {"steps", "N", "100", "optimiser steps"},
    {"log", "FILE", "", "write a log"},
    {"quiet", nullptr, "", "say less"},
};

// The same, with those that bring options of their own.
std::vector<OptionSpec> WithFiles() {
  std::vector<OptionSpec> specs = kSpecs;
  specs.push_back({"rates", "X,X", "1e-3,1", "rates"});
  for (const char* name : {"config", "resume", "threads"}) specs.push_back({name, "VALUE", "", "of the call"});
  return specs;
}

/// The options of one call that gives the required one.
Options ParseWords(std::vector<std::string> words) {
  words.insert(words.begin(), {"--out", "dir"});
  return Options(kSpecs, words);
}

/// The message of the UsageError that `call` must end in.
std::string WordsError(const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

std::string RefusedWords(const std::vector<std::string>& words) {
  return WordsError([&] { ParseWords(words); });
}

TEST(Options, TakeValuesInBothForms) {
  const Options options = ParseWords({"--steps", "7", "--log=a=b", "--quiet"});
  EXPECT_EQ(options.String("out"), "dir");
  EXPECT_EQ(options.Integer("steps", 1, 10), 7);
  EXPECT_EQ(options.String("log"), "a=b");  // only the first = separates
  EXPECT_TRUE(options.Has("quiet"));
}

TEST(Options, FallBackToDefaults) {
  const Options options = ParseWords({});
  EXPECT_EQ(options.Integer("steps", 1, 1000), 100);
  EXPECT_TRUE(options.Has("steps"));
  EXPECT_FALSE(options.Has("log"));
  EXPECT_FALSE(options.Has("quiet"));
}

TEST(Options, AValueMayLookLikeAnything) {
  EXPECT_EQ(ParseWords({"--log", "--quiet"}).String("log"), "--quiet");
  EXPECT_EQ(ParseWords({"--log", "-1"}).String("log"), "-1");
  EXPECT_EQ(ParseWords({"--log", "two words"}).String("log"), "two words");
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
  EXPECT_EQ(WordsError([] { Options(kSpecs, {"--steps", "3"}); }), "--out is missing");
}

std::string RefusedInteger(const std::string& text) {
  return WordsError([&] { ParseWords({"--steps=" + text}).Integer("steps", 1, 1000); });
}

TEST(Options, IntegersAreWholeAndInRange) {
  EXPECT_EQ(ParseWords({"--steps=1"}).Integer("steps", 1, 1000), 1);
  EXPECT_EQ(ParseWords({"--steps=1000"}).Integer("steps", 1, 1000), 1000);
  EXPECT_EQ(ParseWords({"--steps=-5"}).Integer("steps", -5, 5), -5);
  EXPECT_EQ(ParseWords({"--steps=007"}).Integer("steps", 1, 1000), 7);
  for (const char* text : {"0", "1001", "-1", "two", "1.5", "1.0", " 1", "1 ", "1e2", "1e9", "+1", "0x10", "1,2", "nan",
                           "inf", "-", "9223372036854775808", "99999999999999999999999", "١"}) {
    EXPECT_EQ(RefusedInteger(text), std::string("expected --steps to be an integer in 1..1000, found '") + text + "'");
  }
}

std::string RefusedNumber(const std::string& text) {
  return WordsError([&] { ParseWords({"--steps=" + text}).Number("steps", 0, 2.5); });
}

TEST(Options, NumbersAreFiniteAndInRange) {
  EXPECT_EQ(ParseWords({"--steps=0"}).Number("steps", 0, 2.5), 0);
  EXPECT_EQ(ParseWords({"--steps=2.5"}).Number("steps", 0, 2.5), 2.5);
  EXPECT_EQ(ParseWords({"--steps=1e-3"}).Number("steps", 0, 2.5), 1e-3);
  EXPECT_EQ(ParseWords({"--steps=.5"}).Number("steps", 0, 2.5), 0.5);
  for (const char* text : {"-1", "-1e-9", "2.6", "nan", "NaN", "-nan", "inf", "-inf", "infinity", "1e999", "two", " 1",
                           "1 ", "1,5", "+1", "0x1p0", "1e", "1..2", "--1"}) {
    EXPECT_EQ(RefusedNumber(text), std::string("expected --steps to be a number in 0..2.5, found '") + text + "'");
  }
}

TEST(Options, ListsAreCutAtCommas) {
  EXPECT_EQ(ParseWords({"--steps=4"}).Integers("steps", 1, 64), (std::vector<Index>{4}));
  EXPECT_EQ(ParseWords({"--steps=4,8,4"}).Integers("steps", 1, 64), (std::vector<Index>{4, 8, 4}));
  EXPECT_EQ(ParseWords({"--steps=1e-4,0.5"}).Numbers("steps", 0, 1), (std::vector<double>{1e-4, 0.5}));
  for (const auto& [list, part] : std::vector<std::pair<std::string, std::string>>{
           {"4,", ""}, {",4", ""}, {"4,,8", ""}, {"4, 8", " 8"}, {"4,0", "0"}, {"4,65", "65"}, {"4;8", "4;8"}}) {
    EXPECT_EQ(WordsError([&] { ParseWords({"--steps=" + list}).Integers("steps", 1, 64); }),
              "expected --steps to be a list of integers in 1..64, found '" + part + "'");
  }
  EXPECT_EQ(WordsError([] { ParseWords({"--steps=0.5,nan"}).Numbers("steps", 0, 1); }),
            "expected --steps to be a list of numbers in 0..1, found 'nan'");
}

TEST(Options, ChoicesAreListedWhenMissed) {
  EXPECT_EQ(ParseWords({"--log=full"}).Choice("log", {"full", "amplitude"}), "full");
  for (const char* text : {"Full", "ful", "full ", "full,amplitude"}) {
    EXPECT_EQ(WordsError([&] {
                ParseWords({std::string("--log=") + text}).Choice("log", {"full", "amplitude"});
              }),
              std::string("expected --log to be one of full, amplitude, found '") + text + "'");
  }
}

/// Options that come from a file.
class OptionsFile : public testing::Test {
 protected:
  std::string Write(const std::string& json) {
    const std::string file = (dir_.path() / "ampgrad.json").string();
    Put(file, json);
    return file;
  }
  std::string MessageFor(const std::string& json) {
    return MessageOf(dir_.path(), [&] { Options(WithFiles(), {"--config", Write(json)}); });
  }

  TempDir dir_;
};

TEST_F(OptionsFile, ValuesOfAllKinds) {
  const std::string file =
      Write(R"({"out": "dir", "steps": 7, "quiet": true, "rates": [1e-3, "0.5", 2], "log": null, "threads": 3})");
  const Options options(WithFiles(), {"--config", file});
  EXPECT_EQ(options.String("out"), "dir");
  EXPECT_EQ(options.Integer("steps", 1, 10), 7);
  EXPECT_TRUE(options.Has("quiet"));
  EXPECT_EQ(options.Numbers("rates", 0, 9), (std::vector<double>{1e-3, 0.5, 2}));
  EXPECT_FALSE(options.Has("log"));
  EXPECT_EQ(options.Integer("threads", 0, 9), 3);
  EXPECT_TRUE(options.Given("steps"));
  EXPECT_FALSE(options.Given("log"));
}

TEST_F(OptionsFile, WordsTakeTheirPlace) {
  const std::string file = Write(R"({"out": "dir", "steps": 7, "quiet": false})");
  const Options options(WithFiles(), {"--steps", "8", "--config", file, "--out=there"});
  EXPECT_EQ(options.String("out"), "there");
  EXPECT_EQ(options.Integer("steps", 1, 10), 8);
  EXPECT_FALSE(options.Has("quiet"));
  EXPECT_EQ(WordsError([&] { Options(WithFiles(), {"--config", Write(R"({"steps": 7})")}); }), "--out is missing");
}

TEST_F(OptionsFile, RefusesWhatIsNoOption) {
  for (const std::string name : {"stepz", "config", "resume", ""}) {
    EXPECT_EQ(MessageFor("{\"out\": \"dir\", \"" + name + "\": 1}"),
              "D/ampgrad.json: expected the options of this command, found the key '" + name + "'");
  }
  EXPECT_EQ(MessageFor(R"({"out": true})"), "D/ampgrad.json: expected out to be a string, found true");
  EXPECT_EQ(MessageFor(R"({"out": ""})"), "D/ampgrad.json: expected out to be a string that is not empty, found \"\"");
  EXPECT_EQ(MessageFor(R"({"out": {}})"), "D/ampgrad.json: expected out to be a string, found {}");
  EXPECT_EQ(MessageFor(R"({"out": []})"), "D/ampgrad.json: expected out to be a string, found []");
  EXPECT_EQ(MessageFor(R"({"out": ["a", true]})"), "D/ampgrad.json: expected out[1] to be a string, found true");
  EXPECT_EQ(MessageFor(R"({"out": "dir", "quiet": 1})"), "D/ampgrad.json: expected quiet to be true or false, found 1");
  EXPECT_EQ(MessageOf(dir_.path(),
                      [&] {
                        Options(WithFiles(), {"--config", (dir_.path() / "none").string()});
                      }),
            "D/none: no such file");
  const Options options(WithFiles(), {"--config", Write(R"({"out": "dir", "steps": 1e3})")});
  EXPECT_EQ(WordsError([&] { options.Integer("steps", 1, 10000); }),
            "expected --steps to be an integer in 1..10000, found '1000.0'");
}

TEST_F(OptionsFile, SettingsStartTheSameRun) {
  const std::vector<std::string> words = {"--out", "1e2",   "--steps",   "007",       "--quiet", "--rates",
                                          "4",     "--log", "a \"b\"\n", "--threads", "3"};
  const std::string settings = Options(WithFiles(), words).Settings();
  EXPECT_EQ(settings,
            "{\n \"out\": \"1e2\",\n \"steps\": \"007\",\n \"log\": \"a \\\"b\\\"\\n\",\n \"quiet\": true,\n "
            "\"rates\": 4\n}\n");
  const Options again(WithFiles(), {"--config", Write(settings)});
  for (const char* name : {"out", "steps", "log", "quiet", "rates"}) {
    EXPECT_EQ(again.String(name), Options(WithFiles(), words).String(name)) << name;
  }
  EXPECT_FALSE(again.Has("threads"));
  EXPECT_EQ(again.Settings(), settings);
  const std::string defaults = Options(WithFiles(), {"--out", "dir"}).Settings();
  EXPECT_EQ(defaults, "{\n \"out\": \"dir\",\n \"steps\": 100,\n \"rates\": \"1e-3,1\"\n}\n");
}

TEST_F(OptionsFile, ResumeTakesTheSettingsOfTheRun) {
  Write(R"({"out": "dir", "steps": 7})");
  const std::string dir = dir_.path().string();
  const Options options(WithFiles(), {"--resume", dir, "--threads", "2"});
  EXPECT_EQ(options.Integer("steps", 1, 10), 7);
  EXPECT_EQ(options.Integer("threads", 0, 10), 2);
  EXPECT_EQ(options.Settings(), "{\n \"out\": \"dir\",\n \"steps\": 7,\n \"rates\": \"1e-3,1\"\n}\n");
  EXPECT_EQ(WordsError([&] {
              Options(WithFiles(), {"--resume", dir, "--steps", "8"});
            }),
            "--steps beside --resume: a run goes on with its own settings; expected none but --threads");
  EXPECT_EQ(WordsError([&] {
              Options(WithFiles(), {"--resume", dir, "--config", dir + "/ampgrad.json"});
            }),
            "--config beside --resume: a run goes on with its own settings; expected none but --threads");
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
