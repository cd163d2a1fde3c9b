#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "train/data/data_file.h"

namespace ampgrad::train {
namespace {

using namespace std::string_literals;

using Values = std::vector<std::pair<Index, std::string>>;  // each with its line

Values Read(const std::string& text) {
  DataFile file(text, "data.json");
  Values values;
  while (const auto value = file.Next()) values.emplace_back(value->line, value->text);
  EXPECT_FALSE(file.Next());
  return values;
}

std::string Refusal(const std::string& text) {
  try {
    Read(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(DataFile, ReadsLines) {
  EXPECT_EQ(Read(""), Values());
  EXPECT_EQ(Read("\xEF\xBB\xBF \r\n\n"), Values());
  EXPECT_EQ(Read("{}"), (Values{{1, "{}"}}));
  EXPECT_EQ(Read("\xEF\xBB\xBF{a}\r\n\n \t\r\n  {b}\n[1]\n"), (Values{{1, "{a}\r"}, {4, "{b}"}, {5, "[1]"}}));
}

TEST(DataFile, ReadsTheItemsOfAnArray) {
  EXPECT_EQ(Read("[]"), Values());
  EXPECT_EQ(Read(" \n[\n]\n"), Values());
  EXPECT_EQ(Read("[{},{}]"), (Values{{1, "{}"}, {1, "{}"}}));
  EXPECT_EQ(Read("\xEF\xBB\xBF\n[\r\n  {\"a\":\n [1, {}]},\n\n  {} ,3\n]\r\n"),
            (Values{{3, "{\"a\":\n [1, {}]}"}, {6, "{}"}, {6, "3\n"}}));
  // Brackets, commas and quotes inside strings end nothing.
  const std::string tricky = R"({"a]}\"": "\\", "b": ["],{", "\\\""]})";
  EXPECT_EQ(Read("[" + tricky + "," + tricky + "]"), (Values{{1, tricky}, {1, tricky}}));
}

TEST(DataFile, RefusesAnArrayThatDoesNotEndWithTheFile) {
  EXPECT_EQ(Refusal("[\n{}"), "data.json:2: expected ] at the end of the array, found the file's end");
  EXPECT_EQ(Refusal("["), "data.json:1: expected ] at the end of the array, found the file's end");
  EXPECT_EQ(Refusal("[{}\n{}]"), "data.json:2: expected a comma between two items of the array");
  EXPECT_EQ(Refusal("[{}]\n[{}]"), "data.json:2: expected nothing after the array, found more");
  EXPECT_EQ(Read("[{},]"), (Values{{1, "{}"}, {1, ""}}));  // left to the parser
}

TEST(DataFile, RefusesWhatIsNoText) {
  const auto expected = [](const std::string& what) { return "data.json: is " + what + ", expected UTF-8 text"; };
  EXPECT_EQ(Refusal("\xFF\xFE{\0}\0"s), expected("UTF-16"));
  EXPECT_EQ(Refusal("\xFE\xFF\0{\0}"s), expected("UTF-16"));
  EXPECT_EQ(Refusal("{\0\"\0"s), expected("UTF-16"));
  EXPECT_EQ(Refusal("\0[\0{"s), expected("UTF-16"));
  EXPECT_EQ(Refusal("\xFF\xFE\0\0{\0\0\0"s), expected("UTF-32"));
  EXPECT_EQ(Refusal("\x1F\x8B\x08\0"s), expected("gzip-compressed"));
  EXPECT_EQ(Refusal("\x28\xB5\x2F\xFD\x04"), expected("zstd-compressed"));
  EXPECT_EQ(Refusal("PK\x03\x04"), expected("a zip archive"));
  EXPECT_EQ(Refusal("PAR1\x15"), expected("a Parquet file"));
}

TEST(DataFile, RefusesAnItemThatIsTooLong) {
  const auto item = [](size_t bytes) { return "\"" + std::string(bytes - 2, 'x') + "\""; };
  EXPECT_EQ(Read("[1,\n" + item(16 << 20) + "]").size(), 2u);
  EXPECT_EQ(Refusal("[1,\n" + item((16 << 20) + 1) + "]"),
            "data.json:2: expected an item of at most 16777216 bytes, found 16777217");
}

}  // namespace
}  // namespace ampgrad::train
