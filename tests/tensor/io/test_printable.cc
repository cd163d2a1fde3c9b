#include <gtest/gtest.h>

#include <string>

#include "tensor/io/note.h"
#include "tensor/io/printable.h"

/// Text for a terminal.
namespace ampgrad::io {
namespace {

TEST(Printable, KeepsText) {
  for (const std::string text :
       {"", "plain", "é▁…", "\U0001F600 \\x1b", "\xC2\xA0", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(Printable("a\x1B]0;b\x07"), R"(a\x1b]0;b\x07)");
  EXPECT_EQ(Printable("a\nb\tc\rd\x7F"), R"(a\x0ab\x09c\x0dd\x7f)");
  EXPECT_EQ(Printable(std::string("a\0b", 3)), R"(a\x00b)");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "31m\xC2\x80"),
            R"(\xc2\x9b31m\xc2\x80)");
  EXPECT_EQ(Printable("a\nb\tc\rd\x1B", "\n\t"), "a\nb\tc\\x0dd\\x1b");
}

TEST(Printable, EscapesInvalidUtf8) {
  EXPECT_EQ(Printable("\xFF\xFE"), R"(\xff\xfe)");
  EXPECT_EQ(Printable("\x9B"
                      "31m"),
            R"(\x9b31m)");                                          // a control character of Latin-1
  EXPECT_EQ(Printable("\xC0\x9B\xC1\xBF"), R"(\xc0\x9b\xc1\xbf)");  // longer than need be
  EXPECT_EQ(Printable("\xE0\x82\x9B"), R"(\xe0\x82\x9b)");
  EXPECT_EQ(Printable("\xED\xA0\x80"), R"(\xed\xa0\x80)");  // half of a surrogate pair
  EXPECT_EQ(Printable("\xF4\x90\x80\x80"), R"(\xf4\x90\x80\x80)");
  EXPECT_EQ(Printable("\xF8\x88\x80\x80\x80"), R"(\xf8\x88\x80\x80\x80)");
  EXPECT_EQ(Printable("a\xC3"), R"(a\xc3)");  // cut short
  EXPECT_EQ(Printable("\xE2\x82g"), R"(\xe2\x82g)");
}

TEST(Shortened, LeavesOutTheMiddle) {
  EXPECT_EQ(Shortened("0123456789", 10), "0123456789");
  EXPECT_EQ(Shortened("0123456789A", 9), "012…89A");
  EXPECT_EQ(Shortened("éééééééééé", 12), "éé…éé");  // not within a character
}

// Names in files reach it, such as a token that has no row in the embedding.
TEST(Note, IsOneLineThatATerminalCannotObey) {
  testing::internal::CaptureStderr();
  Note("a token \x1B]52;c;x\x07\n" + std::string(5000, 'y'));
  const std::string shown = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(shown.starts_with("ampgrad: note: a token \\x1b]52;c;x\\x07\\x0ay")) << shown;
  EXPECT_LT(shown.size(), 2100u);
  EXPECT_EQ(shown.find('\n'), shown.size() - 1);
}

}  // namespace
}  // namespace ampgrad::io
