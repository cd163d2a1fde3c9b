#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <string>

#include "tensor/kernels/simd/simd_target.h"
#include "tests/support/command_line.h"

/// What the program says of itself.
namespace ampgrad::train {
namespace {

class CommandVersion : public CommandLine {
 protected:
  void SetUp() override {}
};

TEST_F(CommandVersion, NamesVersionCommitBuildAndInstructionSet) {
  const Result result = ExpectRuns({"--version"});
  EXPECT_EQ(ExpectRuns({"version"}).out, result.out);
  std::smatch project;
  const std::string cmake = Get(fs::path(AMPGRAD_SOURCE_DIR) / "CMakeLists.txt");
  ASSERT_TRUE(std::regex_search(cmake, project, std::regex("project\\(ampgrad VERSION ([0-9.]+)")));
  std::string available;
  for (const std::string& target : SimdTargets()) available += (available.empty() ? "" : ", ") + target;
  const std::vector<std::string> lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 4u) << result.out;
  EXPECT_EQ(lines[0], "ampgrad " + project[1].str());
  EXPECT_TRUE(std::regex_match(lines[1], std::regex("commit  ([0-9a-f]{12}|unknown)"))) << lines[1];
  EXPECT_TRUE(std::regex_match(lines[2], std::regex("build   \\w+, \\w+ [0-9.]+, Real = float"))) << lines[2];
  EXPECT_EQ(lines[3], "SIMD    " + SimdTargets().front() + ", of " + available);
  EXPECT_EQ(Lines(ExpectRuns({"version", "--simd", "scalar"}).out)[3], "SIMD    scalar, of " + available);
}

// A build from a tarball has no commit, and must not name that of a repository around it.
TEST_F(CommandVersion, TheCommitIsOneOfThisRepository) {
  const std::string commit = Lines(ExpectRuns({"version"}).out)[1].substr(8);
  if (!fs::exists(fs::path(AMPGRAD_SOURCE_DIR) / ".git")) {
    EXPECT_EQ(commit, "unknown");
  } else if (commit != "unknown") {  // git may be missing, or refuse a directory of somebody else
    const std::string known = "git -C '" AMPGRAD_SOURCE_DIR "' cat-file -e " + commit;
    EXPECT_EQ(std::system(known.c_str()), 0) << commit;
  }
}

}  // namespace
}  // namespace ampgrad::train
