#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tensor/io/mapped_file.h"
#include "tensor/io/safetensors_reader.h"
#include "tests/support/files.h"
#include "tests/support/safetensors_files.h"
#include "tests/support/temp_dir.h"

/// Files that change while they are read, and the signal that this raises.
namespace ampgrad::io {
namespace {

namespace fs = std::filesystem;

constexpr Index kNumbers = 100'000;  // many pages

std::string Bf16File() {
  std::string header = "{" + Entry("a", "BF16", std::to_string(kNumbers), "0," + std::to_string(2 * kNumbers)) + "}";
  if (header.size() % 2 != 0) header += ' ';  // at an odd address the numbers would be copied
  return FileBytes(header, std::string(2 * kNumbers, '\x01'));
}

Index Sum(const StoredTensor& tensor) {
  Index sum = 0;
  for (Index i = 0; i < tensor.shape().size(); ++i) sum += static_cast<const Bf16*>(tensor.data())[i];
  return sum;
}

// Reads a page that has been cut off a file of our own.
void RaiseOwnBusError() {
  const TempDir directory;
  const fs::path path = directory.path() / "g";
  Put(path, std::string(10'000, 'x'));
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  volatile char* const bytes = static_cast<char*>(mmap(nullptr, 10'000, PROT_READ, MAP_SHARED, fileno(file), 0));
  fs::resize_file(path, 0);
  fs::remove_all(directory.path());  // nothing will clean up
  std::exit(bytes[9000] == 0 ? 0 : 9);
}

// The cases of a death test each start a process of their own, in which no file has been mapped yet.
class MappedFileDeathTest : public ::testing::Test {
 protected:
  MappedFileDeathTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    ReportShrunkFiles();
    alarm(60);  // a handler that returns to the access that failed would never end
  }
  ~MappedFileDeathTest() override { alarm(0); }
};

TEST_F(MappedFileDeathTest, AFileThatShrinksEndsTheProcessWithASentence) {
  const File file(Bf16File());
  const auto size = fs::file_size(file.path());
  const std::string sentence = "^ampgrad: .*/f: the file shrank while it was in use: expected " + std::to_string(size) +
                               " bytes, found fewer\n$";
  EXPECT_EXIT(
      {
        const StoredTensor tensor = file.Open().ReadStored("a");
        fs::resize_file(file.path(), 100);
        std::exit(Sum(tensor) == 0 ? 7 : 8);
      },
      ::testing::ExitedWithCode(1), sentence);
}

TEST_F(MappedFileDeathTest, SaysWhichOfSeveralFilesShrank) {
  const TempDir directory;
  for (const char* name : {"one", "two", "three"}) Put(directory.path() / name, Bf16File());
  EXPECT_EXIT(
      {
        { const SafetensorsReader closed(directory.path() / "three"); }
        const auto one = SafetensorsReader(directory.path() / "one").ReadStored("a");
        const auto two = SafetensorsReader(directory.path() / "two").ReadStored("a");
        fs::resize_file(directory.path() / "two", 0);
        std::exit(Sum(one) + Sum(two) == 0 ? 7 : 8);
      },
      ::testing::ExitedWithCode(1), "^ampgrad: .*/two: the file shrank");
}

bool DiedOfBusError(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS; }

TEST_F(MappedFileDeathTest, LeavesOtherBusErrorsAsTheyWere) {
  const File file(FileBytes("{}"));
  EXPECT_EXIT(
      {
        signal(SIGBUS, SIG_DFL);  // a sanitizer may have its own
        const SafetensorsReader reader = file.Open();
        RaiseOwnBusError();
      },
      DiedOfBusError, "^$");
  EXPECT_EXIT(
      {
        signal(SIGBUS, SIG_DFL);
        const SafetensorsReader reader = file.Open();
        kill(getpid(), SIGBUS);
        std::exit(9);
      },
      DiedOfBusError, "^$");
}

TEST_F(MappedFileDeathTest, PassesOtherBusErrorsToTheirHandler) {
  const File file(FileBytes("{}"));
  EXPECT_EXIT(
      {
        signal(SIGBUS, [](int) { _exit(5); });
        const SafetensorsReader reader = file.Open();
        RaiseOwnBusError();
      },
      ::testing::ExitedWithCode(5), "");
}

TEST(MappedFile, ReadsWhatIsThere) {
  const TempDir directory;
  Put(directory.path() / "f", "abc");
  const MappedFile file(directory.path() / "f");
  EXPECT_EQ(std::string(file.data(), file.size()), "abc");
  EXPECT_EQ(file.name(), (directory.path() / "f").string());
  Put(directory.path() / "empty", "");
  EXPECT_EQ(MappedFile(directory.path() / "empty").size(), 0u);
}

TEST(MappedFile, NoticesAFileThatShrank) {
  const TempDir directory;
  const fs::path path = directory.path() / "f";
  Put(path, "abcdef");
  const MappedFile file(path);
  const auto error = [&] { return MessageOf(directory.path(), [&] { file.RequireWhole(); }); };
  EXPECT_EQ(error(), "");
  fs::resize_file(path, 5);
  EXPECT_EQ(error(), "D/f: the file shrank while it was read: expected 6 bytes, found 5");
  fs::resize_file(path, 600);
  EXPECT_EQ(error(), "");
}

// Bytes that were changed in place would be saved with all that was computed from the others.
TEST(RequireUnchangedFiles, NoticesWhatWasWrittenMeanwhile) {
  const TempDir directory;
  const fs::path path = directory.path() / "f";
  const auto error = [&] { return MessageOf(directory.path(), [] { RequireUnchangedFiles(); }); };
  const std::string changed = "D/f: the file was changed while it was in use, so the result is void";
  for (const std::string bytes : {"abc", "abcdefg", "xxxxxx"}) {
    Put(path, "abcdef");
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
    {
      const MappedFile file(path);
      EXPECT_EQ(error(), "");
      Put(path, bytes);
      EXPECT_EQ(error(), changed) << bytes;
    }
    EXPECT_EQ(error(), "");
  }
  // A file that takes its name is another one.
  const MappedFile file(path);
  Put(directory.path() / "g", "g");
  fs::rename(directory.path() / "g", path);
  EXPECT_EQ(error(), "");
}

}  // namespace
}  // namespace ampgrad::io
