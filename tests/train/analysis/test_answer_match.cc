#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/expect_message.h"
#include "train/analysis/answer_match.h"

namespace ampgrad::train {
namespace {

std::string Number(const std::string& text) { return FinalNumber(text).value_or("none"); }

// Answers as GSM8K has them, and as models write them.
TEST(FinalNumber, IsTheLastOne) {
  EXPECT_EQ(Number("She makes 9 * 2 = $<<9*2=18>>18 every day at the farmer's market.\n#### 18"), "18");
  EXPECT_EQ(Number("The answer is 42."), "42");
  EXPECT_EQ(Number("First 3, then 5 and 7 birds"), "7");
  EXPECT_EQ(Number("70000 = $70,000."), "70000");
  EXPECT_EQ(Number("1,234,567.50 in all"), "1234567.5");
  EXPECT_EQ(Number("so it costs $5.00!"), "5");
  EXPECT_EQ(Number("007"), "7");
  EXPECT_EQ(Number("0.50"), "0.5");
  EXPECT_EQ(Number("the half is .5"), "0.5");
  EXPECT_EQ(Number("25%"), "25");
  EXPECT_EQ(Number("a list: 1, 2, 3."), "3");
  EXPECT_EQ(Number("3."), "3");
}

TEST(FinalNumber, KnowsASignFromAMinus) {
  EXPECT_EQ(Number("-3"), "-3");
  EXPECT_EQ(Number("it is -3.5 degrees"), "-3.5");
  EXPECT_EQ(Number("-$1,000"), "-1000");
  EXPECT_EQ(Number("$-4"), "-4");
  EXPECT_EQ(Number("10-3"), "3");
  EXPECT_EQ(Number("a-3"), "3");
  EXPECT_EQ(Number("- 3"), "3");
  EXPECT_EQ(Number("-0"), "0");
}

TEST(FinalNumber, IsBehindTheMarkerWhereThereIsOne) {
  EXPECT_EQ(Number("6 + 6 = 12\n#### 12\nQuestion: what are 3 and 4?"), "12");
  EXPECT_EQ(Number("####-7"), "-7");
  EXPECT_EQ(Number("#### $1,080"), "1080");
  EXPECT_EQ(Number("5 apples\n#### none"), "none");
}

TEST(FinalNumber, IsNoneWithoutADigit) {
  for (const char* text : {"", "no idea", "$", "-", ".", ",", "####", "x = y"}) EXPECT_EQ(Number(text), "none") << text;
}

TEST(Agree, ByNumberOrByText) {
  EXPECT_TRUE(Agree(Match::kNumber, "I think it is 1,000.", "so #### 1000"));
  EXPECT_TRUE(Agree(Match::kNumber, "7.0", "#### 7"));
  EXPECT_FALSE(Agree(Match::kNumber, "-7", "#### 7"));
  EXPECT_FALSE(Agree(Match::kNumber, "seven", "#### 7"));
  EXPECT_FALSE(Agree(Match::kNumber, "no number", "none here either"));
  EXPECT_TRUE(Agree(Match::kText, " Lund.\n", "Lund."));
  EXPECT_TRUE(Agree(Match::kText, "", " "));
  EXPECT_FALSE(Agree(Match::kText, "Lund", "Lund."));
  EXPECT_FALSE(Agree(Match::kText, "a  b", "a b"));
  EXPECT_FALSE(Agree(Match::kNone, "7", "7"));
}

TEST(Match, HasNames) {
  for (const Match match : {Match::kNone, Match::kNumber, Match::kText}) EXPECT_EQ(ParseMatch(ToString(match)), match);
  ExpectMessage<std::invalid_argument>([] { ParseMatch("regex"); },
                                       "[match] expected none, number or text, found 'regex'");
}

}  // namespace
}  // namespace ampgrad::train
