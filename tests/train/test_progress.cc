#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <regex>
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

TEST(Progress, IsAPlainLineAtEvaluationsEveryTenSecondsAndAtTheEnd) {
  const TempDir dir;
  const std::string file = (dir.path() / "shown").string();
  std::FILE* out = std::fopen(file.c_str(), "w");
  Progress progress("full", out);
  // The run went on at step 10, and takes half a second a step.
  const auto show = [&](Index step, std::optional<double> validation, bool last) {
    const Index here = step - 10;
    const double seconds = 0.5 * static_cast<double>(here);
    progress.Show({{step, 2.5, 1e-3, 1, 64}, 100, here, seconds, 128, validation, {}}, last);
  };
  show(11, {}, false);
  show(20, 2.25, false);
  show(21, {}, false);
  show(40, {}, false);
  show(90, {}, true);
  progress.Say("step 90: text");
  std::fclose(out);
  EXPECT_EQ(std::regex_replace(Get(file), std::regex("[0-9]+ MB"), "MB"),
            "full: step 20/100, loss 2.5000, validation loss 2.2500, rate 0.001, 128 tokens/s, MB, 0:40 left\n"
            "full: step 40/100, loss 2.5000, validation loss 2.2500, rate 0.001, 128 tokens/s, MB, 0:30 left\n"
            "full: step 90/100, loss 2.5000, validation loss 2.2500, rate 0.001, 128 tokens/s, MB, 0:00 left\n"
            "step 90: text\n");
}

}  // namespace
}  // namespace ampgrad::train
