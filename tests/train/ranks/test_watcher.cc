#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "train/ranks/watcher.h"

namespace ampgrad::train {
namespace {

// Processes that follow one job as its ranks do, and what they and their watcher write to stderr.
class WatchedRanks {
 public:
  explicit WatchedRanks(const std::string& job) : job_(job) {
    EXPECT_EQ(pipe(errors_), 0);
    EXPECT_EQ(pipe(ready_), 0);
  }
  ~WatchedRanks() {
    for (const int socket : {errors_[0], ready_[0], ready_[1]}) close(socket);
  }

  // Starts the next rank, and waits until it follows the job. It ends when it is killed.
  void Start(bool expects_end = false) {
    const int rank = static_cast<int>(processes_.size());
    const pid_t process = fork();
    if (process == 0) {
      dup2(errors_[1], STDERR_FILENO);
      close(errors_[1]);
      Watcher watcher;
      if (rank == 0) watcher.Open(job_);
      watcher.Follow(job_, rank);
      if (expects_end) watcher.ExpectEnd();
      EXPECT_EQ(write(ready_[1], "r", 1), 1);
      while (true) pause();
    }
    processes_.push_back(process);
    char byte;
    EXPECT_EQ(read(ready_[0], &byte, 1), 1);
  }

  void Kill(size_t rank) { kill(processes_[rank], SIGKILL); }
  pid_t process(size_t rank) const { return processes_[rank]; }

  // All that was written, once every process has ended, the watcher's too.
  std::string Errors() {
    close(errors_[1]);
    for (const pid_t process : processes_) waitpid(process, nullptr, 0);
    std::string text;
    char buffer[256];
    for (ssize_t size; (size = read(errors_[0], buffer, sizeof buffer)) > 0;) text.append(buffer, size);
    return text;
  }

 private:
  std::string job_;
  int errors_[2], ready_[2];
  std::vector<pid_t> processes_;
};

std::string NewJob() {
  return "test-" + std::to_string(getpid()) + "-" +
         std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::string Died(const WatchedRanks& ranks, size_t rank) {
  return "ampgrad: rank " + std::to_string(rank) + " (process " + std::to_string(ranks.process(rank)) +
         ") has died, and all ranks end; the last saved state is good\n";
}

// A launcher kills the others as soon as it sees that one has died.
TEST(Watcher, NamesTheRankThatDiedFirst) {
  for (const std::vector<size_t>& order : {std::vector<size_t>{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {1, 0, 2}}) {
    for (int round = 0; round < 5; ++round) {
      WatchedRanks ranks(NewJob());
      for (int i = 0; i < 3; ++i) ranks.Start();
      for (const size_t rank : order) {
        ranks.Kill(rank);
        waitpid(ranks.process(rank), nullptr, 0);
      }
      EXPECT_EQ(ranks.Errors(), Died(ranks, order[0]));
    }
  }
}

TEST(Watcher, SaysNothingOfAnEndThatWasExpected) {
  WatchedRanks ranks(NewJob());
  ranks.Start(true);
  ranks.Start(true);
  ranks.Start();
  ranks.Kill(0);
  waitpid(ranks.process(0), nullptr, 0);
  ranks.Kill(1);
  waitpid(ranks.process(1), nullptr, 0);
  ranks.Kill(2);
  EXPECT_EQ(ranks.Errors(), Died(ranks, 2));
}

TEST(Watcher, LetsOneOfAJobSpeak) {
  Watcher first, second, stranger;
  const std::string job = NewJob();
  first.Open(job);
  first.Follow(job, 0);
  second.Follow(job, 1);
  const std::string other = NewJob();
  stranger.Open(other);
  stranger.Follow(other, 0);
  EXPECT_TRUE(second.MaySpeak());
  EXPECT_FALSE(first.MaySpeak());
  EXPECT_FALSE(second.MaySpeak());
  EXPECT_TRUE(stranger.MaySpeak());
}

}  // namespace
}  // namespace ampgrad::train
