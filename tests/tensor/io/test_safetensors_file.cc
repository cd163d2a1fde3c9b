#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tensor/io/safetensors_reader.h"
#include "tensor/io/safetensors_writer.h"
#include "tests/support/safetensors_files.h"

/// Numbers read from files and written to them.
namespace ampgrad::io {
namespace {

namespace fs = std::filesystem;

TEST(Safetensors, ReadsUnalignedData) {
  for (int padding = 0; padding < 8; ++padding) {
    const std::string header = "{" + Entry("b", "U8", "1", "0,1") + "," + Entry("f", "F32", "2", "1,9") + "," +
                               Entry("i", "I64", "2", "9,25") + "}" + std::string(padding, ' ');
    const File file(FileBytes(header, "x" + BytesOf<float>({0.5f, -3}) + BytesOf<int64_t>({INT64_MIN, 7})));
    const Tensor f = file.Open().ReadReal("f");
    EXPECT_EQ(std::vector<Real>(f.begin(), f.end()), (std::vector<Real>{0.5, -3}));
    EXPECT_EQ(file.Open().ReadInts("i"), (std::vector<int64_t>{INT64_MIN, 7}));
    EXPECT_EQ(MessageOf(file.directory(), [&] { file.Open().ReadInts("f"); }),
              "D/f: tensor \"f\" is stored as F32, expected I64");
  }
}

TEST(Safetensors, RefusesNumbersThatAreNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const size_t index : {0, 8191, 8192, 9999}) {
    for (const float bad : {std::nanf(""), infinity, -infinity}) {
      std::vector<float> numbers(10'000, 1);
      numbers[index] = numbers.back() = bad;
      const File file(FileBytes("{" + Entry("a", "F32", "100,100", "0,40000") + "}", BytesOf(numbers)));
      EXPECT_EQ(file.ReadError("a"), std::string("D/f: tensor \"a\" of shape [100, 100] holds ") +
                                         (std::isnan(bad) ? "NaN" : "infinity") + " at index " + std::to_string(index) +
                                         ", expected finite numbers");
    }
  }
}

TEST(Safetensors, ConvertsExactly) {
  const std::vector<float> f32 = {-0.0f, 0x1p-149f, 0x1.fffffcp-127f, 0x1p-126f, 0x1.fffffep127f, -0x1.fffffep127f,
                                  0.1f};
  const std::vector<double> f64 = {-0.0, 0.1, 0x1p-149, 0x1.000001p0, 0x1.fffffep127};
  const File file(FileBytes("{" + Entry("s", "F32", "7", "0,28") + "," + Entry("d", "F64", "5", "28,68") + "}",
                            BytesOf(f32) + BytesOf(f64)));
  const Tensor s = file.Open().ReadReal("s");
  for (size_t i = 0; i < f32.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(static_cast<float>(s[i])), std::bit_cast<uint32_t>(f32[i])) << i;
  }
  const Tensor d = file.Open().ReadReal("d");
  for (size_t i = 0; i < f64.size(); ++i) {
    const Real expected = static_cast<Real>(f64[i]);
    EXPECT_EQ(std::memcmp(d.data() + i, &expected, sizeof(Real)), 0) << i;
  }
}

TEST(Safetensors, RefusesDoublesThatOverflowReal) {
  const File file(FileBytes("{" + Entry("a", "F64", "1", "0,8") + "}", BytesOf<double>({-1e300})));
  const std::string message =
      "D/f: tensor \"a\" of shape [1] holds an overflow in F32 at index 0, expected finite numbers";
  EXPECT_EQ(file.ReadError("a"), sizeof(Real) == sizeof(float) ? message : "");
}

TEST(Safetensors, ReportsAFileThatShrinks) {
  const File file(FileBytes("{" + Entry("a", "F32", "1000", "0,4000") + "}", std::string(4000, '\0')));
  const SafetensorsReader reader = file.Open();
  const auto size = fs::file_size(file.path());
  fs::resize_file(file.path(), size - 1);
  EXPECT_EQ(MessageOf(file.directory(), [&] { reader.ReadReal("a"); }),
            "D/f: the file shrank while it was read: expected " + std::to_string(size) + " bytes, found " +
                std::to_string(size - 1));
}

TEST(Safetensors, OpensRegularFilesOnly) {
  const TempDir directory;
  const auto error = [&](const fs::path& path) {
    return MessageOf(directory.path(), [&] { SafetensorsReader reader(path); });
  };
  ASSERT_EQ(mkfifo((directory.path() / "pipe").c_str(), 0600), 0);
  fs::create_symlink("nowhere", directory.path() / "link");
  EXPECT_EQ(error(directory.path()), "D: expected a regular file, found a directory");
  EXPECT_EQ(error(directory.path() / "pipe"), "D/pipe: expected a regular file, found a pipe");
  EXPECT_EQ(error("/dev/zero"), "/dev/zero: expected a regular file, found a device");
  EXPECT_EQ(error(directory.path() / "link"), "D/link: cannot open the file: No such file or directory");
  EXPECT_EQ(error(directory.path() / "none"), "D/none: cannot open the file: No such file or directory");

  const fs::path odd = directory.path() / "größe und 模型.safetensors";
  Put(odd, FileBytes("{}"));
  EXPECT_EQ(error(odd), "");
}

TEST(Safetensors, ReportsMissingPermission) {
  const File file(FileBytes("{}"));
  fs::permissions(file.directory(), fs::perms(0755));
  fs::permissions(file.path(), fs::perms::none);
  const uid_t self = geteuid();  // root may read everything
  if (self == 0 && seteuid(65534) != 0) GTEST_SKIP() << "cannot give up the privileges of root";
  const std::string error = file.OpenError();
  ASSERT_EQ(seteuid(self), 0);
  EXPECT_EQ(error, "D/f: cannot open the file: Permission denied");
}

TEST(Safetensors, WritesTheLayoutOfTheReference) {
  const TempDir directory;
  const fs::path path = directory.path() / "f";
  const std::vector<NamedTensor> tensors = {{"b\"\n", Tensor::Scalar(-2)}, {"a", Tensor::FromValues({1, 2}, {0.5, 1})}};
  WriteSafetensors(path, tensors, {{"format", "pt"}});
  std::string header = R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                       R"("b\"\n":{"dtype":"F32","shape":[],"data_offsets":[8,12]}})";
  header.resize(144, ' ');
  EXPECT_EQ(Get(path), FileBytes(header, BytesOf<float>({0.5f, 1, -2})));
  WriteSafetensors(path, {}, {});
  EXPECT_EQ(Get(path), FileBytes("{}      "));
}

TEST(Safetensors, ReadsBackWhatItWrote) {
  const TempDir directory;
  const fs::path path = directory.path() / "f";
  Tensor big({3, 5000});
  for (Index i = 0; i < big.size(); ++i) big[i] = static_cast<Real>(i) / 7 - 1000;
  const std::map<std::string, std::string> metadata = {{"", "empty"}, {"step", "\"12\"\n\x01 é"}};
  for (const StoredType type : {StoredType::kF32, StoredType::kF64}) {
    WriteSafetensors(path, {{"z", big}, {"naïve \t", Tensor(Shape{4, 0})}, {"s", Tensor::Scalar(3)}}, metadata, type);
    const SafetensorsReader reader(path);
    EXPECT_EQ(reader.header().metadata, metadata);
    EXPECT_EQ(reader.ReadReal("naïve \t").shape(), Shape({4, 0}));
    EXPECT_EQ(reader.ReadReal("s")[0], Real{3});
    const Tensor back = reader.ReadReal("z");
    ASSERT_EQ(back.shape(), big.shape());
    for (Index i = 0; i < big.size(); ++i) {
      ASSERT_EQ(back[i], type == StoredType::kF32 ? static_cast<Real>(static_cast<float>(big[i])) : big[i]);
    }
  }
  EXPECT_EQ(FilesIn(directory.path()), std::vector<std::string>{"f"});
}

TEST(Safetensors, RefusesToWriteWhatCannotBeReadBack) {
  const File file("old");
  const auto error = [&](const std::vector<NamedTensor>& tensors) {
    return MessageOf(file.directory(), [&] { WriteSafetensors(file.path(), tensors, {}); });
  };
  const Tensor one = Tensor::Scalar(1);
  EXPECT_EQ(error({{"a", one}, {"b", one}, {"a", one}}), "D/f: cannot write two tensors named \"a\"");
  EXPECT_EQ(error({{"__metadata__", one}}), "D/f: cannot write a tensor named __metadata__, which the format reserves");
  EXPECT_EQ(error({{"a", Tensor()}}), "D/f: cannot write tensor \"a\", which is absent");
  EXPECT_EQ(error({{"\xff", one}}), "D/f: cannot write the name or metadata \"\\xff\", expected UTF-8");
  EXPECT_EQ(error({{"a", Tensor::FromValues({2}, {1, std::numeric_limits<Real>::infinity()})}}),
            "D/f: cannot write tensor \"a\" of shape [2]: expected finite numbers, found inf at index 1");
  EXPECT_EQ(Get(file.path()), "old");
  EXPECT_EQ(FilesIn(file.directory()), std::vector<std::string>{"f"});
}

TEST(Safetensors, AnOpenReaderOutlivesItsFile) {
  const TempDir directory;
  const fs::path path = directory.path() / "f";
  WriteSafetensors(path, {{"a", Tensor::Scalar(1)}}, {});
  const SafetensorsReader reader(path);
  WriteSafetensors(path, {{"a", Tensor::Scalar(2)}}, {});
  EXPECT_EQ(reader.ReadReal("a")[0], Real{1});
  EXPECT_EQ(SafetensorsReader(path).ReadReal("a")[0], Real{2});
}

}  // namespace
}  // namespace ampgrad::io
