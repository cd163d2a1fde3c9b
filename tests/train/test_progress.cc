#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

// What a Phase writes while `work` goes on.
std::string ShownWhile(const std::function<void(Phase&)>& work) {
  const TempDir dir;
  const std::string file = (dir.path() / "shown").string();
  std::FILE* out = std::fopen(file.c_str(), "w");
  {
    Phase phase("reading", out);
    work(phase);
  }
  std::fclose(out);
  return Get(file);
}

TEST(Phase, IsSilentForLessThanASecond) {
  EXPECT_EQ(ShownWhile([](Phase&) {}), "");
}

TEST(Phase, ShowsWhatTheWorkHasComeTo) {
  const auto one_second = std::chrono::milliseconds(1300);
  EXPECT_EQ(ShownWhile([&](Phase&) { std::this_thread::sleep_for(one_second); }), "reading … 1 s\n");
  EXPECT_EQ(ShownWhile([&](Phase& phase) {
              phase.Now("tensor 7 of 9");
              std::this_thread::sleep_for(one_second);
            }),
            "tensor 7 of 9 … 1 s\n");
}

}  // namespace
}  // namespace ampgrad::train
