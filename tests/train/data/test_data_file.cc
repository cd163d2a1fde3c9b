#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "train/data/data_file.h"

namespace ampgrad::train {
namespace {

using namespace std::string_literals;

using LinedValues = std::vector<std::pair<Index, std::string>>;  // each with its line

LinedValues ValuesOf(const std::string& text) {
  DataFile file(text, "data.json");
  LinedValues values;
  while (const auto value = file.Next()) values.emplace_back(value->line, value->text);
  EXPECT_FALSE(file.Next());
  return values;
}

std::string TextRefusal(const std::string& text) {
  try {
    ValuesOf(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(DataFile, ReadsLines) {
  EXPECT_EQ(ValuesOf(""), LinedValues());
  EXPECT_EQ(ValuesOf("\xEF\xBB\xBF \r\n\n"), LinedValues());
  EXPECT_EQ(ValuesOf("{}"), (LinedValues{{1, "{}"}}));
  EXPECT_EQ(ValuesOf("\xEF\xBB\xBF{a}\r\n\n \t\r\n  {b}\n[1]\n"), (LinedValues{{1, "{a}\r"}, {4, "{b}"}, {5, "[1]"}}));
}

TEST(DataFile, ReadsTheItemsOfAnArray) {
  EXPECT_EQ(ValuesOf("[]"), LinedValues());
  EXPECT_EQ(ValuesOf(" \n[\n]\n"), LinedValues());
  EXPECT_EQ(ValuesOf("[{},{}]"), (LinedValues{{1, "{}"}, {1, "{}"}}));
  EXPECT_EQ(ValuesOf("\xEF\xBB\xBF\n[\r\n  {\"a\":\n [1, {}]},\n\n  {} ,3\n]\r\n"),
            (LinedValues{{3, "{\"a\":\n [1, {}]}"}, {6, "{}"}, {6, "3\n"}}));
  // Brackets, commas and quotes inside strings end nothing.
  const std::string tricky = R"({"a]}\"": "\\", "b": ["],{", "\\\""]})";
  EXPECT_EQ(ValuesOf("[" + tricky + "," + tricky + "]"), (LinedValues{{1, tricky}, {1, tricky}}));
}

TEST(DataFile, RefusesAnArrayThatDoesNotEndWithTheFile) {
  EXPECT_EQ(TextRefusal("[\n{}"), "data.json:2: expected ] at the end of the array, found the file's end");
  EXPECT_EQ(TextRefusal("["), "data.json:1: expected ] at the end of the array, found the file's end");
  EXPECT_EQ(TextRefusal("[{}\n{}]"), "data.json:2: expected a comma between two items of the array");
  EXPECT_EQ(TextRefusal("[{}]\n[{}]"), "data.json:2: expected nothing after the array, found more");
  EXPECT_EQ(ValuesOf("[{},]"), (LinedValues{{1, "{}"}, {1, ""}}));  // left to the parser
}

TEST(DataFile, RefusesWhatIsNoText) {
  const auto expected = [](const std::string& what) { return "data.json: is " + what + ", expected UTF-8 text"; };
  EXPECT_EQ(TextRefusal("\xFF\xFE{\0}\0"s), expected("UTF-16"));
  EXPECT_EQ(TextRefusal("\xFE\xFF\0{\0}"s), expected("UTF-16"));
  EXPECT_EQ(TextRefusal("{\0\"\0"s), expected("UTF-16"));
  EXPECT_EQ(TextRefusal("\0[\0{"s), expected("UTF-16"));
  EXPECT_EQ(TextRefusal("\xFF\xFE\0\0{\0\0\0"s), expected("UTF-32"));
  EXPECT_EQ(TextRefusal("\x1F\x8B\x08\0"s), expected("gzip-compressed"));
  EXPECT_EQ(TextRefusal("\x28\xB5\x2F\xFD\x04"), expected("zstd-compressed"));
  EXPECT_EQ(TextRefusal("PK\x03\x04"), expected("a zip archive"));
  EXPECT_EQ(TextRefusal("PAR1\x15"), expected("a Parquet file"));
}

TEST(DataFile, RefusesAnItemThatIsTooLong) {
  const auto item = [](size_t bytes) { return "\"" + std::string(bytes - 2, 'x') + "\""; };
  EXPECT_EQ(ValuesOf("[1,\n" + item(16 << 20) + "]").size(), 2u);
  EXPECT_EQ(TextRefusal("[1,\n" + item((16 << 20) + 1) + "]"),
            "data.json:2: expected an item of at most 16777216 bytes, found 16777217");
}

}  // namespace
}  // namespace ampgrad::train
