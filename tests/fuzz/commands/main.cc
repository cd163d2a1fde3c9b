// Changes sound files in small ways and lets the commands of a program read them:
//   fuzz_commands PROGRAM GOLDEN [COUNT] [SEED]
// GOLDEN: tests/golden. A change that makes the program crash, hang or speak as no program should is printed with its
// number and kept; `fuzz_commands PROGRAM GOLDEN 1 NUMBER` repeats it.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "tensor/io/printable.h"
#include "tests/fuzz/commands/limited_run.h"
#include "tests/fuzz/commands/sound_files.h"
#include "tests/fuzz/commands/verdict.h"
#include "tests/support/files.h"

namespace ampgrad::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr int kMostSeconds = 30;    // on a busy machine; a sound run takes a quarter of a second under a sanitizer
constexpr double kMostMoreMb = 64;  // than the same command on sound files

// All that the runs share. Every run has a folder of its own.
struct Campaign {
  fs::path program, directory;
  std::vector<Subject> subjects;
  std::vector<double> sound_mb;  // the most memory of each subject's command on sound files
};

LimitedRun RunIn(const Campaign& campaign, const Subject& subject, const fs::path& folder) {
  std::vector<std::string> words = {campaign.program};
  words.insert(words.end(), subject.words.begin(), subject.words.end());
  return RunLimited(words, folder, kMostSeconds);
}

// A failed run must leave the folder as it was.
std::string FaultIn(const Campaign& campaign, size_t at, const fs::path& folder) {
  const std::vector<std::string> before = FilesIn(folder);
  const LimitedRun run = RunIn(campaign, campaign.subjects[at], folder);
  std::string fault = FaultOf(run, campaign.sound_mb[at] + kMostMoreMb);
  if (fault.empty() && run.code != 0 && FilesIn(folder) != before) fault = "a failed run left files";
  return fault.empty() ? "" : fault + "\n" + io::Printable(run.err.substr(0, 3000), "\n\t");
}

// Measures every command on sound files, on which it must succeed.
void RunSound(Campaign& campaign) {
  for (const Subject& subject : campaign.subjects) {
    const fs::path folder = campaign.directory / "run";
    fs::copy(campaign.directory / subject.folder, folder);
    const LimitedRun run = RunIn(campaign, subject, folder);
    if (run.code != 0) throw std::runtime_error(subject.name + ": expected to succeed, found\n" + run.out + run.err);
    campaign.sound_mb.push_back(run.peak_mb);
    fs::remove_all(folder);
  }
}

// Run `number`; returns whether it is in order. What is not stays on the disk.
bool RunChanged(const Campaign& campaign, uint64_t number, std::mutex& printing) {
  const size_t at = number % campaign.subjects.size();
  const Subject& subject = campaign.subjects[at];
  const fs::path folder = campaign.directory / ("run" + std::to_string(number));
  fs::copy(campaign.directory / subject.folder, folder);
  Draw draw(number);
  Put(folder / subject.file, subject.mutate(Get(folder / subject.file), draw));
  const std::string fault = FaultIn(campaign, at, folder);
  if (fault.empty()) {
    fs::remove_all(folder);
    for (const char* end : {".out", ".err"}) fs::remove(folder.string() + end);
    return true;
  }
  const std::lock_guard lock(printing);
  std::printf("%llu, %s, in %s: %s\n", static_cast<unsigned long long>(number), subject.name.c_str(), folder.c_str(),
              fault.c_str());
  std::fflush(stdout);
  return false;
}

int RunAll(const Campaign& campaign, uint64_t count, uint64_t first) {
  std::atomic<uint64_t> next = 0, faults = 0;
  std::mutex printing;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    workers.emplace_back([&] {
      for (uint64_t run = next++; run < count; run = next++) {
        if (!RunChanged(campaign, first + run, printing)) ++faults;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::printf("%llu changed files of %zu kinds: %llu faults\n", static_cast<unsigned long long>(count),
              campaign.subjects.size(), static_cast<unsigned long long>(faults.load()));
  return faults == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ampgrad::fuzz

int main(int argc, char** argv) try {
  using namespace ampgrad::fuzz;
  if (argc < 3) {
    std::fprintf(stderr, "usage: fuzz_commands PROGRAM GOLDEN [COUNT] [SEED]\n");
    return 2;
  }
  // One allocation of a sanitized program may not be larger than any sound file justifies. This program, too, keeps no
  // freed memory, since the system counts its own as that of what it starts.
  if (!getenv("ASAN_OPTIONS")) {
    setenv("ASAN_OPTIONS", "quarantine_size_mb=1:max_allocation_size_mb=256", 1);
    execv("/proc/self/exe", argv);
  }
  char name[] = "/tmp/ampgrad-fuzz-XXXXXX";
  if (!mkdtemp(name)) return 2;
  Campaign campaign = {fs::absolute(argv[1]), name, Subjects(), {}};
  MakeSoundFiles(campaign.directory, argv[2]);
  RunSound(campaign);
  const int code = RunAll(campaign, argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 3000,
                          argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 0);
  if (code == 0) fs::remove_all(campaign.directory);
  return code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "fuzz_commands: %s\n", error.what());
  return 2;
}
