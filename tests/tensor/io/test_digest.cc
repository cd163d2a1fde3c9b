#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tensor/io/digest.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::io {
namespace {

TEST(Digest, TellsEveryChangeOfABit) {
  const TempDir dir;
  const std::filesystem::path file = dir.path() / "file";
  std::string bytes = "twenty-one bytes here";
  std::set<std::string> digests;
  const auto add = [&] {
    Put(file, bytes);
    EXPECT_TRUE(digests.insert(DigestOfFile(file)).second) << bytes;
  };
  add();
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    add();
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  }
  // Two sign bits of floats a word apart, words that change places, and zeros at the end.
  bytes[7] = static_cast<char>(bytes[7] ^ 0x80), bytes[15] = static_cast<char>(bytes[15] ^ 0x80);
  add();
  bytes = "twenty-one bytes here";
  bytes = bytes.substr(8, 8) + bytes.substr(0, 8) + bytes.substr(16);
  add();
  for (int i = 0; i < 12; ++i) {
    bytes += '\0';
    add();
  }
  bytes.clear();
  add();
  Put(file, bytes);
  EXPECT_TRUE(digests.contains(DigestOfFile(file)));
  EXPECT_EQ(DigestOfFile(file).rfind("0 bytes, hash ", 0), 0u);
}

TEST(Digest, RefusesWhatIsNoFile) {
  const TempDir dir;
  EXPECT_EQ(MessageOf(dir.path(), [&] { DigestOfFile(dir.path() / "none"); }),
            "D/none: cannot open the file: No such file or directory");
  EXPECT_EQ(MessageOf(dir.path(), [&] { DigestOfFile(dir.path()); }), "D: expected a regular file, found a directory");
}

}  // namespace
}  // namespace ampgrad::io
