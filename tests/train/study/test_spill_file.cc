#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"
#include "tests/train/study/file_size_limit.h"
#include "train/study/spill_file.h"

namespace ampgrad::train {
namespace {

// Small ones, and one that is larger than the file grows by at once.
std::vector<Tensor> SomeTensors() {
  std::vector<Tensor> tensors;
  for (const Shape& shape : {Shape{3, 5}, Shape{1}, Shape{1100, 4096}, Shape{200, 999}, Shape{7, 7}}) {
    tensors.push_back(Random(1, tensors.size()).NormalTensor(shape, 1));
  }
  return tensors;
}

TEST(SpillFile, GivesBackEveryBitAndLeavesNoFile) {
  const TempDir directory;
  const std::vector<Tensor> tensors = SomeTensors();
  std::vector<StoredTensor> spilled;
  {
    SpillFile file(directory.path());
    EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
    const Index before = Tensor::LiveBytes();
    Index bytes = 0;
    for (const Tensor& tensor : tensors) {
      spilled.push_back(file.Add(tensor));
      bytes += tensor.size() * static_cast<Index>(sizeof(Real));
    }
    EXPECT_EQ(Tensor::LiveBytes(), before);
    EXPECT_EQ(file.bytes(), bytes);
    EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  }
  for (size_t i = 0; i < tensors.size(); ++i) EXPECT_TRUE(SameBits(spilled[i].Widened(), tensors[i])) << i;
}

TEST(SpillFile, RefusesADirectoryThatIsNotThere) {
  const TempDir directory;
  try {
    SpillFile file(directory.path() / "none");
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("none/.ampgrad-spill-"), std::string::npos) << message;
    EXPECT_TRUE(message.ends_with(": cannot create the file: No such file or directory")) << message;
  }
}

TEST(SpillFile, SaysThatTheDiskIsFullAndKeepsWhatItHas) {
  const TempDir directory;
  SpillFile file(directory.path());
  const Tensor small = Random(1, 1).NormalTensor({10, 10}, 1);
  const StoredTensor first = file.Add(small);
  std::string message;
  try {
    const FileSizeLimit limit(1 << 24);
    file.Add(Tensor({3000, 4096}));
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  EXPECT_NE(message.find(": cannot add "), std::string::npos) << message;
  EXPECT_TRUE(message.ends_with(" bytes to the file: File too large")) << message;
  EXPECT_TRUE(SameBits(file.Add(small).Widened(), small));
  EXPECT_TRUE(SameBits(first.Widened(), small));
}

}  // namespace
}  // namespace ampgrad::train
