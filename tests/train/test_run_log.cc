#include <gtest/gtest.h>

#include <string>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"
#include "train/run_log.h"

namespace ampgrad::train {
namespace {

StepReport Report(Index step) { return {{step, 2.5, 0.125, 1.5, 64}, 9, step, 1, 100, {}, {}}; }

TEST(RunLog, WritesEvaluationsWhereTheyWereTaken) {
  const TempDir dir;
  StepReport validated = Report(2), held_out = Report(3);
  validated.validation_loss = 1.0 / 3;
  held_out.held_out_loss = 0.75;
  for (const std::string name : {"log", "log.csv"}) {
    RunLog log(dir.path() / name);
    EXPECT_TRUE(FilesIn(dir.path()).size() == (name == "log" ? 0 : 1));  // made with the first line
    for (const StepReport& report : {Report(1), validated, held_out}) log.Add("a b", report);
  }
  const std::string start = R"({"run":"a b","step":)", same = R"(,"loss":2.5,"lr":0.125,"grad_norm":1.5,)";
  EXPECT_EQ(Get(dir.path() / "log"), start + "1" + same + "\"tokens_per_second\":100.0}\n" + start + "2" + same +
                                         "\"validation_loss\":0.3333333333333333,\"tokens_per_second\":100.0}\n" +
                                         start + "3" + same + "\"held_out_loss\":0.75,\"tokens_per_second\":100.0}\n");
  EXPECT_EQ(Get(dir.path() / "log.csv"),
            "step,run,loss,lr,grad_norm,validation_loss,held_out_loss,tokens_per_second\n"
            "1,\"a b\",2.5,0.125,1.5,,,100.0\n"
            "2,\"a b\",2.5,0.125,1.5,0.3333333333333333,,100.0\n"
            "3,\"a b\",2.5,0.125,1.5,,0.75,100.0\n");
}

// Lines that were written after the state are lost with their steps, even if the run does not come to them again.
TEST(RunLog, GoesOnWhereTheStateWasWritten) {
  const TempDir dir;
  for (const std::string name : {"log", "log.csv"}) {
    const std::filesystem::path file = dir.path() / name, whole = dir.path() / ("whole" + name);
    Index bytes = 0;
    {
      RunLog log(file);
      log.Add("run", Report(1));
      bytes = log.Sync();
      for (const Index step : {2, 3, 4}) log.Add("run", Report(step));
    }
    EXPECT_EQ(MessageOf(dir.path(), [&] { RunLog log(file); }),
              "D/" + name + ": exists already; expected a new file for the log");
    {
      RunLog log(file, true);
      log.GoOnFrom(bytes);
      log.Add("run", Report(2));
      EXPECT_EQ(log.Sync(), static_cast<Index>(Get(file).size()));
    }
    RunLog log(whole);
    for (const Index step : {1, 2}) log.Add("run", Report(step));
    EXPECT_EQ(Get(file), Get(whole));
  }
}

}  // namespace
}  // namespace ampgrad::train
