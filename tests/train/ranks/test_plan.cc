#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/command_line.h"

/// `ampgrad plan` from end to end.
namespace ampgrad::train {
namespace {

class CommandPlan : public CommandLine {
 protected:
  Words Plan(const Words& more) const {
    return Join({"plan", "--model", Path("base"), "--batch", "1", "--length", "16"}, more);
  }
};

// What stands between the bars of the line that begins with `method` and has so many ranks.
std::vector<std::string> Row(const std::string& out, const std::string& method, const std::string& ranks) {
  for (const std::string& line : Lines(out)) {
    std::vector<std::string> cells;
    std::istringstream rest(line);
    for (std::string cell; std::getline(rest, cell, '|');) {
      const size_t begin = cell.find_first_not_of(' '), end = cell.find_last_not_of(' ');
      if (begin != std::string::npos) cells.push_back(cell.substr(begin, end - begin + 1));
    }
    if (cells.size() == 8 && cells[0] == method && cells[2] == ranks) return cells;
  }
  return std::vector<std::string>(8);
}

// Nano has 768 rows in eight matrices: 8 bytes for each of 768·K scores, for each matrix, for two figures of each
// shard, and for a signal. At ten times the rate, without latency, a sum takes a tenth of the time.
TEST_F(CommandPlan, CountsBytesAndDividesThemByTheRate) {
  const Result slow = ExpectRuns(Plan({"--ranks", "2,3", "--k", "8", "--network", "100mbit", "--latency", "0"}));
  EXPECT_EQ(Row(slow.out, "exact K=8", "2")[1], "6144");
  EXPECT_EQ(Row(slow.out, "exact K=8", "2")[3], std::to_string(8 * (6144 + 8 + 4 + 1)));
  EXPECT_EQ(Row(slow.out, "exact K=8", "3")[3], std::to_string(8 * (6144 + 8 + 6 + 1)));
  const double seconds = 8.0 * 8 * (6144 + 8 + 4 + 1) / (1e8 * 1448 / 1538);
  EXPECT_NEAR(std::stod(Row(slow.out, "exact K=8", "2")[5]), seconds, 5.1e-5);  // four decimals
  const Result fast = ExpectRuns(Plan({"--k", "8", "--network", "1gbit", "--latency", "0"}));
  EXPECT_NEAR(std::stod(Row(fast.out, "exact K=8", "2")[5]), seconds / 10, 5.1e-5);
  EXPECT_NE(Row(fast.out, "lora r=8", "2")[3], "");
  EXPECT_NE(Row(fast.out, "full", "2")[3], "");
}

TEST_F(CommandPlan, NetworksHaveNames) {
  ExpectFails(2, Plan({"--network", "2gbit"}), "expected --network to be one of 100mbit, 1gbit, 10gbit, found '2gbit'");
}

}  // namespace
}  // namespace ampgrad::train
