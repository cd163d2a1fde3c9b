#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/io/safetensors_reader.h"
#include "tensor/io/safetensors_writer.h"
#include "tensor/random.h"
#include "tests/support/files.h"
#include "tests/support/safetensors_files.h"
#include "tests/support/temp_dir.h"

/// Files written tensor by tensor.
namespace ampgrad::io {
namespace {

std::vector<std::string> Names(const std::vector<TensorPlan>& plans) {
  std::vector<std::string> names;
  for (const TensorPlan& plan : plans) names.push_back(plan.name);
  return names;
}

TEST(SafetensorsWriter, OrdersByWidthThenName) {
  const TempDir directory;
  SafetensorsWriter writer(directory.path() / "f",
                           {{"a", StoredType::kBf16, {3}},
                            {"z", StoredType::kF64, {}},
                            {"c", StoredType::kF32, {0, 2}},
                            {"b", StoredType::kF32, {2}},
                            {"A", StoredType::kBf16, {1}}},
                           {{"format", "pt"}});
  ASSERT_EQ(Names(writer.order()), (std::vector<std::string>{"z", "b", "c", "A", "a"}));
  writer.Write(Tensor::Scalar(1));
  writer.Write(Tensor::FromValues({2}, {2, 3}));
  writer.Write(Tensor(Shape{0, 2}));
  writer.Write(Tensor::FromValues({1}, {4}));
  writer.Write(Tensor::FromValues({3}, {1, -2, 0.5}));
  EXPECT_EQ(FilesIn(directory.path()).size(), 1u);
  EXPECT_NE(FilesIn(directory.path())[0], "f") << "it appeared before it was whole";
  writer.Commit();
  EXPECT_EQ(FilesIn(directory.path()), std::vector<std::string>{"f"});

  const SafetensorsReader reader(directory.path() / "f");
  EXPECT_EQ(reader.ReadReal("z")[0], Real{1});
  EXPECT_EQ(reader.ReadReal("b")[1], Real{3});
  EXPECT_EQ(reader.ReadReal("c").shape(), Shape({0, 2}));
  EXPECT_EQ(reader.Entry("a").dtype, "BF16");
  const StoredTensor a = reader.ReadStored("a");
  const auto* bf16 = static_cast<const Bf16*>(a.data());
  EXPECT_EQ(std::vector<Bf16>(bf16, bf16 + 3), (std::vector<Bf16>{0x3F80, 0xC000, 0x3F00}));
  const std::string header = Get(directory.path() / "f").substr(8);
  EXPECT_TRUE(
      header.starts_with(R"({"__metadata__":{"format":"pt"},"z":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"b":)"))
      << header.substr(0, 100);
}

TEST(SafetensorsWriter, IsWhatWritesWholeFiles) {
  const TempDir directory;
  const Tensor x = Random(1, 2).NormalTensor({3, 5}, 1), y = Random(1, 3).NormalTensor({7}, 1);
  WriteSafetensors(directory.path() / "whole", {{"y", y}, {"x", x}}, {{"k", "v"}});
  SafetensorsWriter writer(directory.path() / "parts", {{"y", StoredType::kF32, {7}}, {"x", StoredType::kF32, {3, 5}}},
                           {{"k", "v"}});
  writer.Write(x);
  writer.Write(y);
  writer.Commit();
  EXPECT_EQ(Get(directory.path() / "parts"), Get(directory.path() / "whole"));
}

// The nearest of the two bfloat16 neighbours by the definition; in a tie, the one with an even last digit.
Bf16 Nearest(double x) {
  const double size = std::abs(x);
  int exponent = 0;
  std::frexp(size, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - 8, -133));
  const double steps = std::nearbyint(size / unit);  // ties to even
  const double rounded = std::copysign(steps * unit, x);
  return static_cast<Bf16>(std::bit_cast<uint32_t>(static_cast<float>(rounded)) >> 16);
}

TEST(SafetensorsWriter, RoundsToTheNearestBf16) {
  std::vector<Real> numbers = {0,
                               Real(-0.0),
                               1,
                               Real(1 + 0x1p-8),  // a tie, down to even
                               Real(1 + 0x3p-8),  // a tie, up to even
                               Real(1 + 0x1p-8 + 0x1p-23),
                               Real(1 + 0x1p-8 + 0x1p-40),  // a tie only if it is rounded to a float first
                               Real(1 + 0x3p-8 - 0x1p-40),
                               Real(0x1p-133),
                               Real(0x1.8p-133),
                               Real(0x1p-134),
                               Real(0x1.fep127),
                               Real(-0x1.fefffep127)};
  const Tensor random = Random(5, 6).NormalTensor({4000}, 1);
  numbers.insert(numbers.end(), random.begin(), random.end());
  const TempDir directory;
  const Tensor tensor = Tensor::FromValues({static_cast<Index>(numbers.size())}, numbers);
  WriteSafetensors(directory.path() / "f", {{"a", tensor}}, {}, StoredType::kBf16);
  const StoredTensor read = SafetensorsReader(directory.path() / "f").ReadStored("a");
  for (size_t i = 0; i < numbers.size(); ++i) {
    ASSERT_EQ(static_cast<const Bf16*>(read.data())[i], Nearest(numbers[i])) << i << ": " << numbers[i];
  }
}

TEST(SafetensorsWriter, RefusesWhatWasNotDeclared) {
  const TempDir directory;
  const auto path = directory.path() / "f";
  const auto error = [&](const std::vector<Tensor>& tensors) {
    return MessageOf(directory.path(), [&] {
      SafetensorsWriter writer(path, {{"a", StoredType::kBf16, {2}}, {"b", StoredType::kBf16, {1}}}, {});
      for (const Tensor& tensor : tensors) writer.Write(tensor);
      writer.Commit();
    });
  };
  const Tensor two({2}), one({1});
  EXPECT_EQ(error({one}), "D/f: cannot write tensor \"a\": expected the shape [2] that was declared, found [1]");
  EXPECT_EQ(error({two}), "D/f: tensor \"b\" was never written");
  EXPECT_EQ(error({two, one, one}), "D/f: cannot write one more tensor than was declared");
  EXPECT_EQ(error({Tensor::FromValues({2}, {0, Real(-0x1.ffp127)})}),
            "D/f: cannot write tensor \"a\" of shape [2]: expected finite numbers, found -inf at index 1");
  EXPECT_TRUE(FilesIn(directory.path()).empty());
  EXPECT_EQ(error({two, one}), "");
}

TEST(SafetensorsWriter, RefusesBlocks) {
  const TempDir directory;
  EXPECT_EQ(MessageOf(directory.path(),
                      [&] {
                        SafetensorsWriter(directory.path() / "f", {{"a", StoredType::kQ4K, {2, 256}}}, {});
                      }),
            "D/f: cannot write tensor \"a\" in blocks of Q4_K, which safetensors has no type for");
}

TEST(SafetensorsWriter, FindsTheFirstThatIsNotFinite) {
  const TempDir directory;
  for (const Index first : {0, 16'384, 1'048'575, 1'048'576, 1'100'000}) {
    Tensor tensor({1'100'001});
    tensor[first] = std::numeric_limits<Real>::quiet_NaN();
    tensor[1'100'000] = std::numeric_limits<Real>::quiet_NaN();
    const std::string error = MessageOf(directory.path(), [&] {
      WriteSafetensors(directory.path() / "f", {{"a", tensor}}, {});
    });
    EXPECT_EQ(error, "D/f: cannot write tensor \"a\" of shape [1100001]: expected finite numbers, found nan at index " +
                         std::to_string(first));
  }
}

}  // namespace
}  // namespace ampgrad::io
