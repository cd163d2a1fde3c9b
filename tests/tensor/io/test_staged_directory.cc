#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tensor/io/staged_directory.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

#ifdef __linux__
// What the program brought to disk, each with whether "out" was there beside it. The library calls this function in
// place of the system's, which it does itself.
struct Synced {
  std::filesystem::path path;
  bool after_the_rename;
};
static std::vector<Synced> synced;

extern "C" int fsync(int fd) {
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd));
  synced.push_back({path, std::filesystem::exists(path / "out")});
  return static_cast<int>(syscall(SYS_fsync, fd));
}
#endif

/// Directories that must appear whole or not at all.
namespace ampgrad::io {
namespace {

namespace fs = std::filesystem;

// A directory "out" that does not exist yet.
class StagedDirectoryTest : public ::testing::Test {
 protected:
  fs::path root() const { return directory_.path(); }
  fs::path target() const { return root() / "out"; }
  std::string Error(const fs::path& path) const {
    return MessageOf(root(), [&] { StagedDirectory staged(path); });
  }

 private:
  TempDir directory_;
};

TEST_F(StagedDirectoryTest, LeavesNothingBehindWithoutCommit) {
  {
    StagedDirectory staged(target());
    EXPECT_TRUE(fs::is_directory(staged.path()));
    EXPECT_EQ(staged.path().parent_path(), root());  // a sibling: a rename is atomic only within one file system
    Put(staged.path() / "f", "x");
    fs::create_directory(staged.path() / "sub");
    EXPECT_FALSE(fs::exists(target()));
  }
  EXPECT_TRUE(FilesIn(root()).empty());
}

TEST_F(StagedDirectoryTest, LeavesNothingBehindAfterAnException) {
  EXPECT_EQ(MessageOf(root(),
                      [&] {
                        StagedDirectory staged(target());
                        Put(staged.path() / "f", "x");
                        throw std::runtime_error("stop");
                      }),
            "stop");
  EXPECT_TRUE(FilesIn(root()).empty());
}

#ifdef __linux__
// After a loss of power, a directory is there only if the one that holds it was brought to disk after the rename.
TEST_F(StagedDirectoryTest, BringsItsNameToDisk) {
  for (const fs::path& made : {target(), root() / "a" / "b" / "out"}) {
    synced.clear();
    StagedDirectory staged(made);
    Put(staged.path() / "f", "x");
    staged.Commit();
    const auto parent = std::find_if(synced.begin(), synced.end(), [&](const Synced& s) {
      return s.path == fs::canonical(made.parent_path()) && s.after_the_rename;
    });
    EXPECT_NE(parent, synced.end()) << made;
    if (made == target()) continue;
    for (const fs::path& above : {root(), root() / "a"}) {
      const auto same = [&](const Synced& s) { return s.path == fs::canonical(above); };
      EXPECT_TRUE(std::any_of(synced.begin(), synced.end(), same))
          << above << ", which holds a directory that was made";
    }
  }
}
#endif

TEST_F(StagedDirectoryTest, AppearsOnCommit) {
  {
    StagedDirectory staged(target());
    Put(staged.path() / "f", "x");
    staged.Commit();
    EXPECT_EQ(FilesIn(root()), std::vector<std::string>{"out"});
  }
  EXPECT_EQ(FilesIn(root()), std::vector<std::string>{"out"});
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
  EXPECT_EQ(Get(target() / "f"), "x");
}

TEST_F(StagedDirectoryTest, TakesTheNameWithATrailingSlash) {
  StagedDirectory staged(target().string() + "/");
  Put(staged.path() / "f", "x");
  staged.Commit();
  EXPECT_EQ(FilesIn(root()), std::vector<std::string>{"out"});
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

TEST_F(StagedDirectoryTest, TakesANameWithinTheWorkingDirectory) {
  const fs::path before = fs::current_path();
  fs::current_path(root());
  const std::string error = MessageOf({}, [] {
    StagedDirectory staged("out");
    Put(staged.path() / "f", "x");
    staged.Commit();
  });
  fs::current_path(before);
  EXPECT_EQ(error, "");
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

TEST_F(StagedDirectoryTest, RefusesWhatIsThere) {
  fs::create_directory(target());
  Put(target() / "f", "x");
  Put(root() / "file", "y");
  const std::string end = ": exists already; expected a new or an empty directory";
  EXPECT_EQ(Error(target()), "D/out" + end);
  EXPECT_EQ(Error(root() / "file"), "D/file" + end);
  EXPECT_EQ(FilesIn(root()), (std::vector<std::string>{"file", "out"}));
  EXPECT_EQ(Get(target() / "f"), "x");
  EXPECT_EQ(Get(root() / "file"), "y");
}

TEST_F(StagedDirectoryTest, AcceptsAnEmptyDirectory) {
  fs::create_directory(target());
  StagedDirectory staged(target());
  Put(staged.path() / "f", "x");
  staged.Commit();
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

TEST_F(StagedDirectoryTest, LeavesWhatAppearedMeanwhile) {
  StagedDirectory staged(target());
  fs::create_directory(target());
  Put(target() / "f", "x");
  EXPECT_TRUE(MessageOf(root(), [&] { staged.Commit(); }).starts_with("D/out: cannot be created: "));
  EXPECT_EQ(Get(target() / "f"), "x");
}

TEST_F(StagedDirectoryTest, ComesIntoBeingWhenItIsWrittenTo) {
  StagedDirectory staged(target());
  EXPECT_TRUE(FilesIn(root()).empty());
  EXPECT_TRUE(fs::is_directory(staged.path()));
}

TEST_F(StagedDirectoryTest, MakesMissingParents) {
  {
    StagedDirectory staged(root() / "a/b/out");
    EXPECT_TRUE(FilesIn(root()).empty());
    Put(staged.path() / "f", "x");
    staged.Commit();
  }
  EXPECT_EQ(FilesIn(root() / "a/b"), std::vector<std::string>{"out"});
  EXPECT_EQ(Get(root() / "a/b/out/f"), "x");
}

TEST_F(StagedDirectoryTest, ReportsAParentThatIsNoDirectory) {
  Put(root() / "file", "y");
  EXPECT_EQ(Error(root() / "file/out"), "D/file/out: cannot be created: Not a directory");
  EXPECT_EQ(Get(root() / "file"), "y");
}

// What an ordinary user sees when the test's directory has these permissions; root may do anything.
class AsOrdinaryUser : public StagedDirectoryTest {
 protected:
  static constexpr const char* kStaysRoot = "cannot give up the privileges of root";

  std::string ErrorWith(fs::perms perms) const {
    const bool root_user = getuid() == 0;
    fs::permissions(root(), perms);
    const bool switched = !root_user || setresuid(65534, 65534, 0) == 0;
    const std::string error = switched ? Error(target()) : kStaysRoot;
    if (root_user && setresuid(0, 0, 0) != 0) std::abort();  // no other test may run as somebody else
    fs::permissions(root(), fs::perms(0755));
    return error;
  }
};

TEST_F(AsOrdinaryUser, ReportsAParentThatCannotBeWritten) {
  const std::string error = ErrorWith(fs::perms(0555));
  if (error == kStaysRoot) GTEST_SKIP() << error;
  EXPECT_EQ(error, "D/out: cannot be created: Permission denied");
  EXPECT_TRUE(FilesIn(root()).empty());
}

TEST_F(AsOrdinaryUser, ReportsAParentThatCannotBeSearched) {
  const std::string error = ErrorWith(fs::perms(0000));
  if (error == kStaysRoot) GTEST_SKIP() << error;
  EXPECT_TRUE(error.starts_with("D/out: cannot be created: ")) << error;
  EXPECT_TRUE(FilesIn(root()).empty());
}

// An earlier process with the same id may have been killed; the files that it left are not part of the result.
TEST_F(StagedDirectoryTest, StepsAroundOrphans) {
  std::string orphan;
  {
    StagedDirectory staged(target());
    orphan = staged.path();
  }
  fs::create_directory(orphan);
  Put(fs::path(orphan) / "stale", "x");
  EXPECT_EQ(MessageOf(root(),
                      [&] {
                        StagedDirectory staged(target());
                        Put(staged.path() / "f", "x");
                        staged.Commit();
                      }),
            "");
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

// What was computed for days must not go because of a full disk.
TEST_F(StagedDirectoryTest, KeepsWhatIsCompleteWhenFillingFails) {
  const std::string error = MessageOf(root(), [&] {
    StagedDirectory(target()).Fill([](const fs::path& to) {
      Put(to / "f", "x");
      throw std::runtime_error("stop");
    });
  });
  ASSERT_EQ(FilesIn(root()).size(), 1u);
  const std::string kept = FilesIn(root())[0];
  EXPECT_EQ(error, "stop; what was written is kept in D/" + kept);
  EXPECT_TRUE(kept.starts_with("out.partial-") && kept.ends_with("-kept")) << kept;
  StagedDirectory(target()).Fill([](const fs::path& to) { Put(to / "g", "y"); });
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"g"});
  EXPECT_EQ(Get(root() / kept / "f"), "x");
}

TEST_F(StagedDirectoryTest, KeepsWhatCannotBePutInPlace) {
  const std::string error = MessageOf(root(), [&] {
    StagedDirectory(target()).Fill([&](const fs::path& to) {
      Put(to / "f", "x");
      Put(target(), "a file that appeared meanwhile");
    });
  });
  EXPECT_TRUE(
      error.starts_with("D/out: cannot be created: Not a directory; what was written is kept in D/out.partial-"))
      << error;
  EXPECT_EQ(FilesIn(root()).size(), 2u);
}

TEST_F(StagedDirectoryTest, KeepsNoEmptyDirectory) {
  EXPECT_EQ(
      MessageOf(root(),
                [&] { StagedDirectory(target()).Fill([](const fs::path&) { throw std::runtime_error("stop"); }); }),
      "stop");
  EXPECT_TRUE(FilesIn(root()).empty());
}

TEST_F(StagedDirectoryTest, RemovesWhatDeadProcessesLeft) {
  fs::create_directory(root() / ".out.partial-AAAAAA");
  Put(root() / ".out.partial-AAAAAA/f", "x");
  const std::vector<std::string> others = {".other.partial-AAAAAA", ".out.partial-", ".out.partial-AAAAAAA"};
  for (const std::string& name : others) fs::create_directory(root() / name);
  StagedDirectory alive(target()), second(target());
  const std::string held = alive.path().filename();
  second.path();
  EXPECT_FALSE(fs::exists(root() / ".out.partial-AAAAAA"));
  for (const std::string& name : others) EXPECT_TRUE(fs::exists(root() / name)) << name;
  EXPECT_TRUE(fs::exists(root() / held)) << "another process writes to it";
}

TEST_F(StagedDirectoryTest, RefusesWhatARenameCannotReplace) {
  fs::create_symlink("nowhere", root() / "link");
  EXPECT_EQ(Error(root() / "link"), "D/link: cannot be created: it is a link to nothing");
  EXPECT_EQ(Error(root() / std::string(256, 'n')),
            "D/" + std::string(256, 'n') + ": cannot be created: File name too long");
  const fs::path longest = root() / std::string(255, 'n');
  StagedDirectory(longest).Fill([](const fs::path& to) { Put(to / "f", "x"); });
  EXPECT_EQ(FilesIn(longest), std::vector<std::string>{"f"});
}

}  // namespace
}  // namespace ampgrad::io
