#include <gtest/gtest.h>

#include <sstream>

#include "train/report/columns.h"
#include "train/report/text_table.h"

namespace ampgrad::report {
namespace {

// The title has eight columns beside two that are free, and goes on below; "–" is one column.
TEST(TextTable, HasColumnsAsWideAsWhatTheyHold) {
  EXPECT_EQ(TextTable({{"arm"}, {"loss at the end", true}, {"phase"}},
                      {{"full", {"2.1", "above"}}, {"exact", {"12.34", "–"}, {"4 seeds"}}}),
            "        loss at\n"
            "arm     the end  phase\n"
            "full        2.1  above\n"
            "exact     12.34  –\n"
            "      4 seeds\n");
}

TEST(TextTable, FitsATerminal) {
  const std::string wide(45, 'x'), name(20, 'n');
  std::istringstream lines(TextTable({{"arm"}, {"a", true}, {"b", true}}, {{name, {wide, wide}}}));
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  EXPECT_EQ(line, name);
  std::getline(lines, line);
  EXPECT_EQ(Width(line), 2 * 47 + 8u) << "two more than fit, as no name is narrower than eight";
  std::istringstream fits(TextTable({{"arm"}, {"a", true}}, {{name, {std::string(85, 'x')}}}));
  while (std::getline(fits, line)) EXPECT_LE(Width(line), kColumns);
}

}  // namespace
}  // namespace ampgrad::report
