#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "tests/support/files.h"
#include "tests/support/safetensors_files.h"

namespace ampgrad::io {
namespace {

namespace fs = std::filesystem;

TEST(AtomicFile, LeavesTheOldFileWithoutCommit) {
  const File old("old");
  {
    AtomicFile file(old.path());
    file.Write("new", 3);
    EXPECT_EQ(FilesIn(old.directory()).size(), 2u);
  }
  EXPECT_EQ(Get(old.path()), "old");
  EXPECT_EQ(FilesIn(old.directory()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, ReplacesTheFileOnCommit) {
  const File old("the old one was longer");
  AtomicFile file(old.path());
  file.Write("ne", 2);
  file.Write("", 0);
  file.Write("w", 1);
  EXPECT_EQ(Get(old.path()), "the old one was longer");
  file.Commit();
  EXPECT_EQ(Get(old.path()), "new");
  EXPECT_EQ(FilesIn(old.directory()), std::vector<std::string>{"f"});
}

TEST(AtomicFile, IsRemovedForAHandlerOfSignals) {
  const File old("old");
  AtomicFile first(old.path()), second(old.path());
  first.Write("new", 3);
  first.Commit();
  EXPECT_EQ(FilesIn(old.directory()).size(), 2u);
  RemoveTemporaryFiles();
  EXPECT_EQ(FilesIn(old.directory()), std::vector<std::string>{"f"});
  EXPECT_EQ(Get(old.path()), "new");
  EXPECT_THROW(second.Commit(), std::runtime_error);
}

TEST(AtomicFile, WritesIntoTheWorkingDirectory) {
  const TempDir directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  const std::string error = MessageOf({}, [] { WriteFileAtomically("bare", "x"); });
  fs::current_path(before);
  EXPECT_EQ(error, "");
  EXPECT_EQ(Get(directory.path() / "bare"), "x");
}

TEST(AtomicFile, StepsAroundOrphans) {
  const TempDir directory;
  {
    AtomicFile first(directory.path() / "f");
    const std::string name = FilesIn(directory.path()).at(0);  // .ampgrad-<pid>-<n>.tmp
    const size_t dash = name.rfind('-');
    const int n = std::stoi(name.substr(dash + 1));
    Put(directory.path() / (name.substr(0, dash + 1) + std::to_string(n + 1) + ".tmp"), "orphan");
  }
  WriteFileAtomically(directory.path() / "f", "new");
  ASSERT_EQ(FilesIn(directory.path()).size(), 2u);
  EXPECT_EQ(Get(directory.path() / FilesIn(directory.path())[0]), "orphan");
  EXPECT_EQ(Get(directory.path() / "f"), "new");
}

TEST(AtomicFile, NamesThePathAndTheReason) {
  const File file("plain");
  const auto error = [&](const fs::path& path) {
    return MessageOf(file.directory(), [&] { WriteFileAtomically(path, "x"); });
  };
  EXPECT_EQ(error(file.directory() / "none/x"), "D/none/x: cannot open its directory: No such file or directory");
  EXPECT_EQ(error(file.path() / "x"), "D/f/x: cannot open its directory: Not a directory");
  for (const fs::path& path : {file.directory(), fs::path("/dev/null")}) {
    EXPECT_EQ(error(path),
              (path == "/dev/null" ? "/dev/null" : "D") +
                  std::string(": cannot write here: expected a regular file or none, found something else"));
  }
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(AtomicFile, LeavesTheOldFileWhenWritingFails) {
  const File old("old");
  struct rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const struct rlimit small = {10'000, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  // The first write is cut short at the limit, the one for the rest fails.
  const std::string error =
      MessageOf(old.directory(), [&] { WriteFileAtomically(old.path(), std::string(20'000, 'x')); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error, "D/f: cannot write: File too large");
  EXPECT_EQ(Get(old.path()), "old");
  EXPECT_EQ(FilesIn(old.directory()), std::vector<std::string>{"f"});
}

TEST(RequireFileTarget, LeavesNothingBehind) {
  const File file("old");
  const auto error = [&](const fs::path& path) {
    return MessageOf(file.directory(), [&] { RequireFileTarget(path); });
  };
  EXPECT_EQ(error(file.path()), "");
  EXPECT_EQ(error(file.directory() / "new"), "");
  EXPECT_EQ(error(file.directory() / "none/x"), "D/none/x: cannot open its directory: No such file or directory");
  EXPECT_EQ(error(file.path() / "x"), "D/f/x: cannot write here: Not a directory");
  const std::string end = ": cannot write here: expected a regular file or none, found something else";
  EXPECT_EQ(error(file.directory()), "D" + end);
  EXPECT_EQ(error("/dev/full"), "/dev/full" + end);
  const std::string name(256, 'n');
  EXPECT_EQ(error(file.directory() / name), "D/" + name + ": cannot write here: File name too long");
  EXPECT_EQ(FilesIn(file.directory()), std::vector<std::string>{"f"});
  EXPECT_EQ(Get(file.path()), "old");
}

}  // namespace
}  // namespace ampgrad::io
