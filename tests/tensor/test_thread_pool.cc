#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cfenv>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"

namespace ampgrad {
namespace {

class ThreadPool : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { SetNumThreads(GetParam()); }
  void TearDown() override { SetNumThreads(0); }
};

TEST_P(ThreadPool, RunsEveryTaskOnce) {
  for (const Index tasks : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> runs(tasks);
    ParallelFor(tasks, [&](Index i) { ++runs[i]; });
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

TEST_P(ThreadPool, ChunksCoverTheRange) {
  std::vector<std::atomic<int>> touched(1001);
  ParallelChunks(1001, 10, [&](Index begin, Index end) {
    EXPECT_LE(end - begin, 10);
    for (Index i = begin; i < end; ++i) ++touched[i];
  });
  for (const auto& count : touched) EXPECT_EQ(count, 1);
}

TEST_P(ThreadPool, RunsNestedCallsInPlace) {
  std::atomic<int> sum{0};
  ParallelFor(8, [&](Index) { ParallelFor(8, [&](Index j) { sum += static_cast<int>(j); }); });
  EXPECT_EQ(sum, 8 * 28);
}

TEST_P(ThreadPool, PassesExceptionsOn) {
  EXPECT_THROW(ParallelFor(100,
                           [](Index i) {
                             if (i == 57) throw std::runtime_error("57");
                           }),
               std::runtime_error);
  std::atomic<int> runs{0};
  ParallelFor(3, [&](Index) { ++runs; });  // and works on
  EXPECT_EQ(runs, 3);
}

// Otherwise results would depend on which thread runs a task.
TEST_P(ThreadPool, TasksComputeAsTheCallerDoes) {
  const int before = std::fegetround();
  for (const int rounding : {FE_UPWARD, FE_TONEAREST}) {
    std::fesetround(rounding);
    std::vector<int> seen(100);
    ParallelFor(100, [&](Index i) { seen[i] = std::fegetround(); });
    std::fesetround(before);
    EXPECT_EQ(seen, std::vector<int>(100, rounding));
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPool, testing::Values(1, 2, 3, 8));

TEST(NumThreads, IsChecked) {
  ExpectMessage<std::invalid_argument>([] { SetNumThreads(-1); }, "[threads] expected 0 (all cores) to 1024, found -1");
  SetNumThreads(3);
  EXPECT_EQ(NumThreads(), 3);
  SetNumThreads(0);
  EXPECT_GE(NumThreads(), 1);
}

#ifndef __SANITIZE_ADDRESS__  // whose shadow memory is beyond any such limit
// A thousand stacks of 8 MB do not fit below this limit.
TEST(NumThreads, AreFewerWhereTheSystemGivesFewer) {
  struct rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  SetNumThreads(1);
  const struct rlimit low = {rlim_t{4} << 30, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &low), 0);
  SetNumThreads(1000);
  const int threads = NumThreads();
  std::atomic<int> runs{0};
  ParallelFor(5000, [&](Index) { ++runs; });
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  SetNumThreads(0);
  EXPECT_GE(threads, 1);
  EXPECT_LT(threads, 1000);
  EXPECT_EQ(runs, 5000);
}
#endif

}  // namespace
}  // namespace ampgrad
