#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

/// The example programs, as a reader would run them.
namespace ampgrad {
namespace {

// What a program prints; it must end with code 0.
std::string OutputOf(const std::string& program) {
  std::string text;
  std::FILE* pipe = popen(program.c_str(), "r");
  if (!pipe) return text;
  std::array<char, 4096> part;
  while (const size_t count = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), count);
  EXPECT_EQ(pclose(pipe), 0) << program;
  return text;
}

// The loss begins near ln 2 or above, as the network knows nothing, and the answers are those of the truth table.
TEST(Examples, TheNetworkLearnsXor) {
  const std::string text = OutputOf(AMPGRAD_XOR);
  double first = 0, last = 0;
  ASSERT_EQ(std::sscanf(text.c_str(), "step 0 loss %lf", &first), 1) << text;
  const size_t end = text.find("step 200");
  ASSERT_NE(end, std::string::npos) << text;
  ASSERT_EQ(std::sscanf(text.c_str() + end, "step 200 loss %lf", &last), 1) << text;
  EXPECT_GT(first, 0.5);
  EXPECT_LT(last, 0.02);
  EXPECT_TRUE(text.ends_with("0 xor 0 = 0\n0 xor 1 = 1\n1 xor 0 = 1\n1 xor 1 = 0\n")) << text;
}

}  // namespace
}  // namespace ampgrad
