#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tensor/io/safetensors_writer.h"
#include "tensor/thread_pool.h"
#include "tests/support/safetensors_files.h"

/// Numbers of 16 bits in files: they are read exactly, must be finite, and stay in the mapped file.
namespace ampgrad::io {
namespace {

constexpr float kFloatInfinity = std::numeric_limits<float>::infinity();

// A floating-point format of 16 bits by its definition: sign, exponent, fraction.
struct Format {
  const char* dtype;
  int fraction_bits;
  int bias;
};
constexpr Format kF16 = {"F16", 10, 15}, kBf16 = {"BF16", 7, 127};

double ByDefinition(const Format& format, int bits) {
  const int fraction = bits & ((1 << format.fraction_bits) - 1);
  const int exponent = (bits & 0x7FFF) >> format.fraction_bits, largest = 0x7FFF >> format.fraction_bits;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == largest) return fraction != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  const double significand = fraction + (exponent == 0 ? 0 : 1 << format.fraction_bits);
  return sign * std::ldexp(significand, std::max(exponent, 1) - format.bias - format.fraction_bits);
}

// A file with one tensor "a" of one row.
std::string FileOf(const std::string& dtype, const std::vector<uint16_t>& numbers, const std::string& padding = "") {
  const std::string count = std::to_string(numbers.size()), bytes = std::to_string(2 * numbers.size());
  return FileBytes("{" + Entry("a", dtype, "1," + count, "0," + bytes) + "}" + padding, BytesOf(numbers));
}

TEST(Safetensors, ConvertsEveryNumberOf16BitsExactly) {
  for (const Format& format : {kF16, kBf16}) {
    std::vector<uint16_t> finite;
    for (int bits = 0; bits <= 0xFFFF; ++bits) {
      if (std::isfinite(ByDefinition(format, bits))) finite.push_back(static_cast<uint16_t>(bits));
    }
    EXPECT_EQ(finite.size(), 65'536u - (2u << format.fraction_bits));
    const Tensor read = File(FileOf(format.dtype, finite)).Open().ReadReal("a");
    ASSERT_EQ(read.size(), static_cast<Index>(finite.size()));
    for (size_t i = 0; i < finite.size(); ++i) {
      const double found = read[static_cast<Index>(i)], expected = ByDefinition(format, finite[i]);
      ASSERT_EQ(std::bit_cast<uint64_t>(found), std::bit_cast<uint64_t>(expected)) << format.dtype << " " << finite[i];
    }
  }
}

TEST(Safetensors, RefusesEveryNumberOf16BitsThatIsNotFinite) {
  for (const Format& format : {kF16, kBf16}) {
    const uint32_t step = format.dtype == kF16.dtype ? 97 : 13;  // a file each: some of the 2046 and 254 NaNs
    const int infinity = 0x7FFF >> format.fraction_bits << format.fraction_bits;
    for (const int sign : {0, 0x8000}) {
      for (int bits = infinity; bits <= 0x7FFF; bits += static_cast<int>(step)) {
        const std::string what = bits == infinity ? "infinity" : "NaN";
        const File file(FileOf(format.dtype, {1, static_cast<uint16_t>(bits | sign), 0}));
        const std::string message =
            "D/f: tensor \"a\" of shape [1, 3] holds " + what + " at index 1, expected finite numbers";
        EXPECT_EQ(file.ReadError("a"), message) << bits;
        EXPECT_EQ(MessageOf(file.directory(), [&] { file.Open().ReadStored("a"); }), message) << bits;
      }
    }
  }
}

TEST(Safetensors, FindsTheFirstOfSeveralThatAreNotFinite) {
  constexpr size_t kCount = 1'000'003;  // several chunks and a remainder
  const int threads = NumThreads();
  for (const int n : {1, 3}) {
    SetNumThreads(n);
    for (const size_t first : std::vector<size_t>{0, 1, 262'143, 262'144, 700'001, kCount - 2, kCount - 1}) {
      std::vector<uint16_t> numbers(kCount, 0xFF7F);  // the lowest finite one
      numbers[first] = 0x7F80;
      numbers.back() = first + 1 == kCount ? 0xFF80 : 0x7FC0;
      const File file(FileOf("BF16", numbers));
      const std::string message = "D/f: tensor \"a\" of shape [1, 1000003] holds infinity at index " +
                                  std::to_string(first) + ", expected finite numbers";
      EXPECT_EQ(file.ReadError("a"), message);
      EXPECT_EQ(MessageOf(file.directory(), [&] { file.Open().ReadStored("a"); }), message);
    }
  }
  SetNumThreads(threads);
}

TEST(Safetensors, ReadsBf16WhereItLies) {
  const std::vector<uint16_t> numbers = {0x3F80, 0xC000, 0x0001, 0x8000, 0x7F7F};
  for (int padding = 0; padding < 4; ++padding) {  // half of the addresses are odd
    const File file(FileOf("BF16", numbers, std::string(padding, ' ')));
    const StoredTensor tensor = [&] { return file.Open().ReadStored("a"); }();
    std::filesystem::remove(file.path());  // the numbers outlive reader and name
    ASSERT_EQ(tensor.shape(), Shape({1, 5}));
    const auto* found = static_cast<const Bf16*>(tensor.data());
    EXPECT_EQ(std::vector<uint16_t>(found, found + 5), numbers);
  }
}

TEST(Safetensors, CopiesNumbersAtOddAddressesOnly) {
  for (const auto& [dtype, width] : {std::pair<const char*, int>{"BF16", 2}, {"F16", 2}, {"F32", 4}}) {
    int copies = 0;
    for (int padding = 0; padding < 4; ++padding) {
      const std::string header = "{" + Entry("a", dtype, "2", "0," + std::to_string(2 * width)) + "}";
      const File file(FileBytes(header + std::string(padding, ' '), std::string(2 * width, '\0')));
      const SafetensorsReader reader = file.Open();
      copies += reader.ReadStored("a").data() != reader.ReadStored("a").data();
    }
    EXPECT_EQ(copies, width == 2 ? 2 : 3) << dtype;
  }
}

// Every type that stays as stored is read as it is in the file; doubles are read as Real.
TEST(Safetensors, KeepsEachTypeAsItLies) {
  const Tensor values = Tensor::FromValues({2, 2}, {1, -2, 0.5, 3});
  for (const StoredType type : {StoredType::kF64, StoredType::kF32, StoredType::kF16, StoredType::kBf16}) {
    const TempDir directory;
    WriteSafetensors(directory.path() / "f", {{"a", values}}, {}, type);
    const StoredTensor read = SafetensorsReader(directory.path() / "f").ReadStored("a");
    EXPECT_EQ(read.type(), type == StoredType::kF64 ? kRealType : type);
    const Tensor wide = read.Widened();
    EXPECT_EQ(std::vector<Real>(wide.begin(), wide.end()), std::vector<Real>(values.begin(), values.end()));
  }
}

TEST(Safetensors, RefusesStoredTensorsByName) {
  const File file(FileBytes("{" + Entry("a", "I16", "1", "0,2") + "," + Entry("b", "BF16", "0,3", "2,2") + "," +
                                Entry("c", "BF16", "1,1,1,1,1", "2,4") + "}",
                            "1234"));
  const auto error = [&](const std::string& name) {
    return MessageOf(file.directory(), [&] { file.Open().ReadStored(name); });
  };
  EXPECT_EQ(error("a"),
            "D/f: tensor \"a\" is stored as I16, which is not supported here; expected F32, F64, F16 or BF16");
  EXPECT_EQ(error("c"),
            "D/f: tensor \"c\" has a shape that is not supported here: expected at most 4 dimensions, found 5");
  EXPECT_EQ(error("d"), "D/f: expected a tensor \"d\", found none among its 3 tensors");
  EXPECT_EQ(file.Open().ReadStored("b").shape(), Shape({0, 3}));
}

TEST(Safetensors, RefusesOtherFormatsByTheirName) {
  const std::string rest(64, '\x08');
  EXPECT_EQ(File(std::string("GGUF\x03\0\0\0", 8) + rest).OpenError(),
            "D/f: expected a safetensors file, found a GGUF file");
  EXPECT_EQ(File(std::string("PK\x03\x04\0\0\x08\x08", 8) + rest).OpenError(),
            "D/f: expected a safetensors file, found a zip archive, as PyTorch writes for pickled weights");
  EXPECT_EQ(File("\x80\x02\x8a\x0al\xfc\x9c" + rest).OpenError(),
            "D/f: expected a safetensors file, found a Python pickle");
  EXPECT_EQ(File("version https://git-lfs.github.com/spec/v1\n").OpenError(),
            "D/f: expected a safetensors file, found a Git LFS pointer, which stands for a file that was not fetched");
}

}  // namespace
}  // namespace ampgrad::io
