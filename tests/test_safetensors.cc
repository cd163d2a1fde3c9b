#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "models/atomic_file.h"
#include "models/safetensors.h"
#include "tests/temp_dir.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

void Put(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string Get(const fs::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

std::vector<std::string> FilesIn(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

template <typename T>
std::string BytesOf(const std::vector<T>& numbers) {
  std::string bytes(numbers.size() * sizeof(T), '\0');
  if (!numbers.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

std::string Length(uint64_t length) { return BytesOf<uint64_t>({length}); }

std::string FileBytes(const std::string& header, const std::string& data = "") {
  return Length(header.size()) + header + data;
}

// One entry of a header: Entry("a", "F32", "2,3", "0,24").
std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[)" + offsets + "]}";
}

// What the user sees when `action` fails, with "D" for the test's own directory; "" when it does
// not.
template <typename Action>
std::string MessageOf(const fs::path& directory, Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    std::string message = error.what();
    const size_t at = directory.empty() ? message.npos : message.find(directory.string());
    return at == message.npos ? message : message.replace(at, directory.string().size(), "D");
  }
  return "";
}

std::string HeaderError(const std::string& header, uint64_t data_bytes = 0) {
  return MessageOf({}, [&] { ParseSafetensorsHeader(header, data_bytes, "f"); });
}

// The verdict on a header of the one entry "a".
std::string EntryError(const std::string& dtype, const std::string& shape, const std::string& offsets,
                       uint64_t data_bytes) {
  return HeaderError("{" + Entry("a", dtype, shape, offsets) + "}", data_bytes);
}

// A file D/f with the given bytes.
class File {
 public:
  explicit File(const std::string& bytes) { Put(path(), bytes); }
  fs::path path() const { return directory_.path() / "f"; }
  fs::path directory() const { return directory_.path(); }
  SafetensorsReader Open() const { return SafetensorsReader(path()); }
  std::string OpenError() const {
    return MessageOf(directory(), [&] { Open(); });
  }
  std::string ReadError(const std::string& name) const {
    return MessageOf(directory(), [&] { Open().ReadReal(name); });
  }

 private:
  TempDir directory_;
};

TEST(Safetensors, RefusesFilesWithoutALength) {
  EXPECT_EQ(File("").OpenError(), "D/f: too small for a safetensors file: expected at least 8 bytes, found 0");
  EXPECT_EQ(File("1234567").OpenError(), "D/f: too small for a safetensors file: expected at least 8 bytes, found 7");
}

TEST(Safetensors, RefusesHugeHeaderLengthsBeforeAllocating) {
  const std::string start = "D/f: the header length is too large for a safetensors file: expected at most 100000000 ";
  for (const uint64_t length : {uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7, uint64_t{100'000'001}}) {
    EXPECT_EQ(File(Length(length) + "{}      ").OpenError(), start + "bytes, found " + std::to_string(length));
  }
}

TEST(Safetensors, AcceptsTheLongestHeader) {
  const File file(FileBytes("{}" + std::string(99'999'998, ' ')));
  EXPECT_TRUE(file.Open().header().entries.empty());
}

TEST(Safetensors, RefusesAHeaderBeyondTheFile) {
  EXPECT_EQ(File(Length(9) + "{}      ").OpenError(),
            "D/f: the header does not fit in the file: expected 9 bytes behind the first 8, found 8");
}

TEST(Safetensors, RefusesAnEmptyHeader) {
  EXPECT_EQ(File(Length(0)).OpenError(), "D/f: the header is empty, expected a JSON object");
  EXPECT_EQ(HeaderError(" \n"), "f: the header is empty, expected a JSON object");
}

TEST(Safetensors, RefusesInvalidUtf8) {
  const std::string start = "f: expected the header to be one JSON object in UTF-8, found ";
  EXPECT_EQ(HeaderError("\xFF"), start + R"("\xff" at byte 0)");
  EXPECT_EQ(HeaderError("{\"\xFF\":0}"), start + R"("\xff\":0}" at byte 2)");
  EXPECT_EQ(HeaderError("{\"\xED\xA0\x80\":0}"), start + R"("\xa0\x80\":0}" at byte 3)");  // a lone surrogate
  EXPECT_EQ(HeaderError("{\"\xC0\xAF\":0}"), start + R"("\xc0\xaf\":0}" at byte 2)");      // an overlong slash
  EXPECT_EQ(HeaderError(R"({"\ud800":0})"), start + R"("\":0}" at byte 8)");
}

TEST(Safetensors, RefusesWhatIsNotOneJsonObject) {
  const std::string start = "f: expected the header to be ";
  EXPECT_EQ(HeaderError("{"), start + "one JSON object in UTF-8, found its end at byte 1");
  EXPECT_EQ(HeaderError("[]"), start + "a JSON object, found an array");
  EXPECT_EQ(HeaderError("null"), start + "a JSON object, found null");
  EXPECT_EQ(HeaderError("true"), start + "a JSON object, found true");
  EXPECT_EQ(HeaderError("\"x\""), start + "a JSON object, found the string \"x\"");
  EXPECT_EQ(HeaderError("{} x"), start + "one JSON object in UTF-8, found \"x\" at byte 3");
  EXPECT_EQ(HeaderError("{}{}"), start + "one JSON object in UTF-8, found \"{}\" at byte 2");
  EXPECT_EQ(HeaderError("{/**/}"), start + "one JSON object in UTF-8, found \"/**/}\" at byte 1");
  EXPECT_EQ(HeaderError(std::string("{}\0", 3)), "f: the header holds a zero byte, expected JSON padded by spaces");
  EXPECT_EQ(HeaderError("\xEF\xBB\xBF{}"), "f: the header begins with a byte order mark, expected a JSON object");
}

TEST(Safetensors, AcceptsSpaceAroundTheHeader) {
  EXPECT_EQ(HeaderError(" \t\r\n{} \t\r\n"), "");
  EXPECT_EQ(HeaderError("{ " + Entry("a", "F32", " 1 ", " 0 , 4 ") + " }", 4), "");
}

TEST(Safetensors, LimitsNesting) {
  const auto nested = [](int depth) {
    const std::string arrays = std::string(depth, '[') + std::string(depth, ']');
    return R"({"a":{"x":)" + arrays + R"(,"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  };
  EXPECT_EQ(HeaderError(nested(126), 4), "");  // within two objects
  EXPECT_EQ(HeaderError(nested(127), 4), "f: the header nests its values more than 128 deep");
  EXPECT_EQ(HeaderError(nested(100'000), 4), "f: the header nests its values more than 128 deep");
  EXPECT_EQ(HeaderError(std::string(100'000, '[')), "f: expected the header to be a JSON object, found an array");
}

TEST(Safetensors, AcceptsAFileWithoutTensors) {
  const File file(FileBytes("{}"));
  EXPECT_TRUE(file.Open().header().entries.empty());
  EXPECT_FALSE(file.Open().Has("wte.weight"));
  EXPECT_EQ(file.ReadError("wte.weight"), "D/f: expected a tensor \"wte.weight\", found none among its 0 tensors");
}

TEST(Safetensors, RefusesSharedBytes) {
  const std::string message =
      "f: tensor \"b\" has data_offsets [0, 4], expected them to begin at 4, where the data before "
      "it ends";
  EXPECT_EQ(HeaderError("{" + Entry("a", "F32", "1", "0,4") + "," + Entry("b", "F32", "1", "0,4") + "}", 4), message);

  std::string many = "{" + Entry("a", "F32", "1", "0,4");
  for (int i = 0; i < 20'000; ++i) many += "," + Entry(std::to_string(i), "F32", "1", "0,4");
  EXPECT_EQ(HeaderError(many + "}", 4).substr(0, 13), "f: tensor \"0\"");
}

TEST(Safetensors, RefusesGaps) {
  EXPECT_EQ(EntryError("F32", "1", "8,12", 12),
            "f: tensor \"a\" has data_offsets [8, 12], expected them to begin at 0, where the data "
            "before it ends");
  EXPECT_EQ(HeaderError("{" + Entry("a", "F32", "1", "0,4") + "," + Entry("b", "F32", "1", "8,12") + "}", 12),
            "f: tensor \"b\" has data_offsets [8, 12], expected them to begin at 4, where the data "
            "before it ends");
}

TEST(Safetensors, RefusesDataThatIsCutOrTooLong) {
  const std::string header = "{" + Entry("a", "F32", "1", "0,4") + "}";
  EXPECT_EQ(File(FileBytes(header, "123")).OpenError(),
            "D/f: the tensors take 4 bytes of data, found 3 bytes behind the header");
  EXPECT_EQ(File(FileBytes(header, "12345")).OpenError(),
            "D/f: the tensors take 4 bytes of data, found 5 bytes behind the header");
  EXPECT_EQ(HeaderError("{}", 1), "f: the tensors take 0 bytes of data, found 1 bytes behind the header");
}

TEST(Safetensors, RefusesSpansThatRunBackwardsOrWrap) {
  EXPECT_EQ(HeaderError("{" + Entry("a", "F32", "1", "0,4") + "," + Entry("b", "F32", "1", "4,0") + "}", 4),
            "f: tensor \"b\" has data_offsets [4, 0], expected an end not before the begin");
  EXPECT_EQ(EntryError("F32", "1", "18446744073709551608,18446744073709551612", 4),
            "f: tensor \"a\" has data_offsets [18446744073709551608, 18446744073709551612], "
            "expected them to begin at 0, where the data before it ends");
}

TEST(Safetensors, RefusesOffsetsThatAreNotIntegers) {
  const std::string start =
      "f: expected data_offsets of tensor \"a\" to be an array of integers from 0 to 2^64 - 1, "
      "found ";
  for (const std::string bad : {"-1", "-0", "1.5", "1e3", "4.0", "18446744073709551616", "null", "true"}) {
    EXPECT_EQ(EntryError("F32", "1", "0," + bad, 4), start + bad + " in it");
  }
  EXPECT_EQ(EntryError("F32", "1", "0,\"4\"", 4), start + "the string \"4\" in it");
  EXPECT_EQ(EntryError("F32", "1", "0,[4]", 4), start + "an array in it");
  EXPECT_EQ(EntryError("F32", "1", "0", 4), "f: tensor \"a\" has 1 data_offsets, expected two, its begin and its end");
  EXPECT_EQ(EntryError("F32", "1", "0,4,4", 4), "f: tensor \"a\" has more than two data_offsets");
  EXPECT_EQ(HeaderError(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":4}})", 4), start + "4");
  const std::string shape = "f: expected shape of tensor \"a\" to be an array of integers from 0 to 2^64 - 1, found ";
  EXPECT_EQ(EntryError("F32", "-1", "0,4", 4), shape + "-1 in it");
  EXPECT_EQ(HeaderError(R"({"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}})", 4), shape + "null");
}

TEST(Safetensors, RefusesSpansOfAnotherLengthThanTheShape) {
  EXPECT_EQ(EntryError("F32", "1024,1024", "0,4", 4),
            "f: tensor \"a\" has data_offsets [0, 4], expected 4194304 bytes for F32 [1024, 1024]");
  EXPECT_EQ(EntryError("F64", "1", "0,16", 16),
            "f: tensor \"a\" has data_offsets [0, 16], expected 8 bytes for F64 [1]");
  // 2^32 + 1 is 1 in 32 bits.
  EXPECT_EQ(EntryError("F32", "4294967297", "0,4", 4),
            "f: tensor \"a\" has data_offsets [0, 4], expected 17179869188 bytes for F32 [4294967297]");
  EXPECT_EQ(EntryError("F4", "3", "0,1", 1), "f: tensor \"a\" of F4 [3] takes 12 bits, expected whole bytes");
  EXPECT_EQ(EntryError("F4", "4", "0,2", 2), "");
}

TEST(Safetensors, RefusesShapesThatOverflow) {
  const std::string end = " has more bits than fit in 64-bit arithmetic";
  EXPECT_EQ(EntryError("F32", "4294967296,4294967296", "0,0", 0),
            "f: tensor \"a\" of F32 [4294967296, 4294967296]" + end);
  for (const std::string shape : {"4611686018427387904,4", "2,18446744073709551614", "576460752303423488",
                                  "9223372036854775808,9223372036854775808,0"}) {
    EXPECT_NE(EntryError("F32", shape, "0,0", 0).find(end), std::string::npos) << shape;
  }
}

TEST(Safetensors, AcceptsEmptyTensorsAndScalars) {
  EXPECT_EQ(EntryError("F32", "2,0", "0,0", 0), "");
  EXPECT_EQ(EntryError("F32", "0,9223372036854775808,9223372036854775808", "0,0", 0), "");
  EXPECT_EQ(EntryError("F32", "", "0,4", 4), "");
  const File file(FileBytes("{" + Entry("e", "F32", "2,0", "0,0") + "," + Entry("s", "F32", "", "0,4") + "," +
                                Entry("big", "F32", "0,9223372036854775808", "4,4") + "}",
                            BytesOf<float>({2.5f})));
  EXPECT_EQ(file.Open().ReadReal("e").shape(), Shape({2, 0}));
  EXPECT_EQ(file.Open().ReadReal("s").shape(), Shape());
  EXPECT_EQ(file.Open().ReadReal("s")[0], Real{2.5});
  EXPECT_EQ(file.ReadError("big"),
            "D/f: tensor \"big\" has a shape that is not supported here: "
            "expected extents below 2^63, found 9223372036854775808");
}

TEST(Safetensors, RefusesMoreThanFourDimensions) {
  const File file(FileBytes("{" + Entry("a", "F32", "1,1,1,1,1", "0,4") + "}", "1234"));
  EXPECT_EQ(file.ReadError("a"),
            "D/f: tensor \"a\" has a shape that is not supported here: expected at most 4 "
            "dimensions, found 5");
}

TEST(Safetensors, RefusesSumsBeyondTheFile) {
  const std::string half = "9223372036854775808";
  EXPECT_EQ(EntryError("U8", "1024", "0,1024", 8),
            "f: the tensors take 1024 bytes of data, found 8 bytes behind the header");
  // The end of "b" as a sum that wrapped would give it.
  EXPECT_EQ(HeaderError("{" + Entry("a", "U8", "1152921504606846976", "0,1152921504606846976") + "," +
                            Entry("b", "U8", "8", "1152921504606846976,7") + "}",
                        7),
            "f: tensor \"b\" has data_offsets [1152921504606846976, 7], expected an end not before "
            "the begin");
  EXPECT_EQ(EntryError("U8", half, "0," + half, 8),
            "f: tensor \"a\" of U8 [9223372036854775808] has more bits than fit in 64-bit arithmetic");
}

TEST(Safetensors, RefusesUnknownDtypes) {
  for (const std::string dtype : {"F31", "", "f32", "F32 "}) {
    EXPECT_EQ(EntryError(dtype, "1", "0,4", 4), "f: tensor \"a\" has the unknown dtype \"" + dtype +
                                                    "\", expected one of the format's, such as F32 or BF16");
  }
  for (const std::string dtype : {"null", "5"}) {
    EXPECT_EQ(HeaderError(R"({"a":{"dtype":)" + dtype + R"(,"shape":[1],"data_offsets":[0,4]}})", 4),
              "f: expected dtype of tensor \"a\" to be a string, found " + dtype);
  }
}

TEST(Safetensors, KnowsEveryDtypeButReadsOnlySome) {
  const std::vector<std::pair<uint64_t, std::vector<std::string>>> widths = {
      {4, {"F4"}},
      {6, {"F6_E2M3", "F6_E3M2"}},
      {8, {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}},
      {16, {"I16", "U16", "F16", "BF16"}},
      {32, {"I32", "U32"}},
      {64, {"C64", "I64", "U64"}}};
  for (const auto& [bits, dtypes] : widths) {
    for (const std::string& dtype : dtypes) {
      const std::string header = "{" + Entry("a", dtype, "8", "0," + std::to_string(bits)) + "}";
      const File file(FileBytes(header, std::string(bits, '\0')));
      EXPECT_EQ(file.ReadError("a"),
                "D/f: tensor \"a\" is stored as " + dtype + ", which is not supported here; expected F32 or F64");
    }
  }
}

TEST(Safetensors, RefusesRepeatedNames) {
  for (const std::string offsets : {"0,4", "4,8"}) {
    EXPECT_EQ(HeaderError("{" + Entry("a", "F32", "1", "0,4") + "," + Entry("a", "F32", "1", offsets) + "}", 8),
              "f: the header holds tensor \"a\" twice");
  }
  EXPECT_EQ(HeaderError("{" + Entry("a", "F32", "0", "0,0") + "," + Entry("\\u0061", "F32", "0", "0,0") + "}"),
            "f: the header holds tensor \"a\" twice");
}

TEST(Safetensors, ChecksTheFieldsOfAnEntry) {
  const std::string rest = R"("dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  EXPECT_EQ(HeaderError(R"({"a":{"shape":[1],)" + rest, 4), "f: tensor \"a\" has two fields shape");
  EXPECT_EQ(HeaderError(R"({"a":{"dtype":"F32",)" + rest, 4), "f: tensor \"a\" has two fields dtype");
  EXPECT_EQ(HeaderError(R"({"a":{"data_offsets":[0,4],)" + rest, 4), "f: tensor \"a\" has two fields data_offsets");
  EXPECT_EQ(HeaderError(R"({"a":{"x":1.5,"y":[{"dtype":[-1]}],"x":null,)" + rest, 4), "");
  EXPECT_EQ(HeaderError(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4), "f: tensor \"a\" has no field dtype");
  EXPECT_EQ(HeaderError(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4), "f: tensor \"a\" has no field shape");
  EXPECT_EQ(HeaderError(R"({"a":{}})"), "f: tensor \"a\" has no field dtype");
  EXPECT_EQ(HeaderError(R"({"a":7})"),
            "f: expected tensor \"a\" to be an object with dtype, shape and data_offsets, found 7");
}

TEST(Safetensors, ChecksMetadata) {
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"k":1}})"), "f: expected the metadata \"k\" to be a string, found 1");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"k":{}}})"),
            "f: expected the metadata \"k\" to be a string, found an object");
  EXPECT_EQ(HeaderError(R"({"__metadata__":["k"]})"),
            "f: expected __metadata__ to be an object of strings, found an array");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{},"__metadata__":{}})"), "f: the header holds __metadata__ twice");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"k":"1","k":"2"}})"), "f: the metadata holds \"k\" twice");
  EXPECT_EQ(HeaderError(R"({"__metadata__":null})"), "");
  const auto header = ParseSafetensorsHeader(R"({"__metadata__":{"format":"pt","é":"\u0000"}})", 0, "f");
  EXPECT_EQ(header.metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"é", std::string(1, '\0')}}));
}

TEST(Safetensors, TreatsNamesAsBytesOnly) {
  const std::string longest(1'000'000, 'x');
  const File file(FileBytes("{" + Entry("", "F32", "1", "0,4") + "," + Entry("../x", "F32", "1", "4,8") + "," +
                                Entry("a\\u0000b", "F32", "1", "8,12") + "," + Entry(longest, "F32", "1", "12,16") +
                                "}",
                            BytesOf<float>({1, 2, 3, 4})));
  const SafetensorsReader reader = file.Open();
  EXPECT_EQ(reader.ReadReal("")[0], Real{1});
  EXPECT_EQ(reader.ReadReal("../x")[0], Real{2});
  EXPECT_EQ(reader.ReadReal(std::string("a\0b", 3))[0], Real{3});
  EXPECT_EQ(reader.ReadReal(longest)[0], Real{4});
  EXPECT_EQ(file.ReadError(longest + "y"), "D/f: expected a tensor \"" + std::string(80, 'x') +
                                               "...\" (1000001 bytes), found none among its 4 tensors");
  EXPECT_EQ(QuoteName("\"\\\n\x1b[31m\x7f\xc3\xa9"), R"("\"\\\x0a\x1b[31m\x7f\xc3\xa9")");
}

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

TEST(Safetensors, OrdersEntriesByTheirData) {
  const auto header =
      ParseSafetensorsHeader("{" + Entry("a", "F32", "1", "4,8") + "," + Entry("b", "F32", "1", "0,4") + "}", 8, "f");
  ASSERT_EQ(header.entries.size(), 2u);
  EXPECT_EQ(header.entries[0].name, "b");
  EXPECT_EQ(header.entries[1].begin, 4u);
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

// The rules of the format as plainly as they can be put: read into a tree by recursion, sums in 128 bits. Shares
// nothing with the reader, which it is compared to.
class Checker {
 public:
  static bool Accepts(const std::string& bytes) {
    try {
      Checker(bytes).CheckFile();
      return true;
    } catch (const Invalid&) {
      return false;
    }
  }

 private:
  using Wide = unsigned __int128;
  struct Invalid {};
  struct Value {
    char kind = 'x';   // { [ " 0 (unsigned integer) x (anything else)
    std::string text;  // of a string
    Wide number = 0;
    std::vector<std::string> keys;  // of an object
    std::vector<Value> items;       // of an object or array
  };

  explicit Checker(const std::string& bytes) : bytes_(bytes) {}

  static void Require(bool condition) {
    if (!condition) throw Invalid();
  }
  int Peek() const { return at_ < end_ ? static_cast<unsigned char>(bytes_[at_]) : -1; }
  int Next() {
    Require(at_ < end_);
    return static_cast<unsigned char>(bytes_[at_++]);
  }
  bool Eat(char c) {
    if (Peek() != static_cast<unsigned char>(c)) return false;
    ++at_;
    return true;
  }
  void Space() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == '\r' || Peek() == '\n') ++at_;
  }

  unsigned Hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const int c = Next();
      Require(std::isxdigit(c));
      code = code * 16 + static_cast<unsigned>(std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10);
    }
    return code;
  }

  static void AppendUtf8(unsigned code, std::string& text) {
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else if (code < 0x800) {
      text += static_cast<char>(0xC0 | code >> 6), tail(0);
    } else if (code < 0x10000) {
      text += static_cast<char>(0xE0 | code >> 12), tail(6), tail(0);
    } else {
      text += static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0);
    }
  }

  // A character of more than one byte: it must be what its own code encodes to.
  void MultiByte(int lead, std::string& text) {
    const int tail = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    const size_t start = at_ - 1;
    unsigned code = static_cast<unsigned>(lead) & (0x3Fu >> tail);
    for (int i = 0; i < tail; ++i) code = code << 6 | (static_cast<unsigned>(Next()) & 0x3F);
    std::string encoded;
    AppendUtf8(code, encoded);
    Require(code <= 0x10FFFF && code >> 11 != 0x1B && encoded == bytes_.substr(start, at_ - start));
    text += encoded;
  }

  void Escape(std::string& text) {
    static const std::string kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    const int c = Next();
    if (const size_t i = kFrom.find(static_cast<char>(c)); i != kFrom.npos) {
      text += kTo[i];
      return;
    }
    Require(c == 'u');
    unsigned code = Hex4();
    Require(code >> 10 != 0x37);
    if (code >> 10 == 0x36) {
      Require(Eat('\\') && Eat('u'));
      const unsigned low = Hex4();
      Require(low >> 10 == 0x37);
      code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
    }
    AppendUtf8(code, text);
  }

  std::string String() {
    std::string text;
    for (Require(Eat('"')); !Eat('"');) {
      const int c = Next();
      Require(c >= 0x20);
      if (c == '\\') {
        Escape(text);
      } else if (c < 0x80) {
        text += static_cast<char>(c);
      } else {
        MultiByte(c, text);
      }
    }
    return text;
  }

  void Digits() {
    Require(std::isdigit(Peek()));
    while (std::isdigit(Peek())) ++at_;
  }

  Value Number() {
    const size_t start = at_;
    const bool negative = Eat('-');
    if (!Eat('0')) Digits();
    const size_t integer_end = at_;
    if (Eat('.')) Digits();
    if (Eat('e') || Eat('E')) {
      if (!Eat('+')) Eat('-');
      Digits();
    }
    const std::string text = bytes_.substr(start, at_ - start);
    Require(std::isfinite(std::strtod(text.c_str(), nullptr)));
    Value value;
    if (negative || at_ != integer_end || text.size() > 20) return value;
    for (const char c : text) value.number = value.number * 10 + static_cast<unsigned>(c - '0');
    if (value.number <= UINT64_MAX) value.kind = '0';
    return value;
  }

  Value Any(int depth) {
    Space();
    Value value;
    const int c = Peek();
    if (c == '"') return value.kind = '"', value.text = String(), value;
    if (c == '-' || std::isdigit(c)) return Number();
    if (c != '{' && c != '[') {
      for (const std::string literal : {"null", "true", "false"}) {
        if (bytes_.compare(at_, literal.size(), literal) == 0)
          return at_ += literal.size(), value.text = literal, value;
      }
      throw Invalid();
    }
    Require(depth < 128);
    value.kind = static_cast<char>(Next());
    const char close = c == '{' ? '}' : ']';
    for (Space(); !Eat(close); Space()) {
      if (!value.items.empty()) Require(Eat(','));
      if (c == '{') Space(), value.keys.push_back(String()), Space(), Require(Eat(':'));
      value.items.push_back(Any(depth + 1));
    }
    return value;
  }

  // The value of the only field of that name.
  static const Value& Field(const Value& object, const std::string& name, char kind) {
    Require(std::count(object.keys.begin(), object.keys.end(), name) == 1);
    const size_t i = static_cast<size_t>(std::find(object.keys.begin(), object.keys.end(), name) - object.keys.begin());
    Require(object.items[i].kind == kind);
    return object.items[i];
  }

  static Wide BytesOf(const std::string& dtype, const std::vector<Value>& shape) {
    static const std::map<std::string, unsigned> kBits = {
        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"BOOL", 8},        {"U8", 8},   {"I8", 8},
        {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16},
        {"F16", 16},    {"F8_E8M0", 8}, {"BF16", 16},       {"I32", 32},        {"U32", 32}, {"F32", 32},
        {"C64", 64},    {"F64", 64},    {"I64", 64},        {"U64", 64}};
    Require(kBits.contains(dtype));
    Wide product = 1;
    for (const Value& dim : shape) Require(dim.kind == '0'), product *= dim.number, Require(product <= UINT64_MAX);
    product *= kBits.at(dtype);
    Require(product <= UINT64_MAX && product % 8 == 0);
    return product / 8;
  }

  void CheckFile() {
    Require(bytes_.size() >= 8);
    uint64_t length;
    std::memcpy(&length, bytes_.data(), 8);
    Require(length <= 100'000'000 && length <= bytes_.size() - 8);
    at_ = 8;
    end_ = 8 + length;
    const Value header = Any(0);
    Space();
    Require(at_ == end_ && header.kind == '{');
    Require(std::set<std::string>(header.keys.begin(), header.keys.end()).size() == header.keys.size());
    std::map<Wide, Wide> spans;  // begin -> end
    std::vector<Wide> empty;     // begins
    for (size_t i = 0; i < header.keys.size(); ++i) {
      if (header.keys[i] == "__metadata__") {
        CheckMetadata(header.items[i]);
      } else {
        CheckEntry(header.items[i], spans, empty);
      }
    }
    // Following the spans from 0 must use each of them and arrive at the end; empty ones stand where one begins or
    // ends.
    std::set<Wide> borders = {0};
    Wide at = 0;
    for (auto span = spans.find(0); span != spans.end(); span = spans.find(at)) borders.insert(at = span->second);
    Require(borders.size() == spans.size() + 1 && at == bytes_.size() - end_);
    for (const Wide begin : empty) Require(borders.contains(begin));
  }

  static void CheckMetadata(const Value& metadata) {
    if (metadata.text == "null" && metadata.kind == 'x') return;
    Require(metadata.kind == '{');
    Require(std::set<std::string>(metadata.keys.begin(), metadata.keys.end()).size() == metadata.keys.size());
    for (const Value& value : metadata.items) Require(value.kind == '"');
  }

  static void CheckEntry(const Value& entry, std::map<Wide, Wide>& spans, std::vector<Wide>& empty) {
    Require(entry.kind == '{');
    const Wide size = BytesOf(Field(entry, "dtype", '"').text, Field(entry, "shape", '[').items);
    const Value& offsets = Field(entry, "data_offsets", '[');
    Require(offsets.items.size() == 2 && offsets.items[0].kind == '0' && offsets.items[1].kind == '0');
    const Wide begin = offsets.items[0].number, end = offsets.items[1].number;
    Require(end >= begin && end - begin == size);
    if (size == 0) {
      empty.push_back(begin);
    } else {
      Require(spans.emplace(begin, end).second);
    }
  }

  const std::string& bytes_;
  size_t at_ = 0, end_ = 0;
};

// Changes a file where its structure is: tokens of the header, its length, the length of the data.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  std::string Mutate(const std::string& header, std::string data) {
    std::vector<std::string> tokens = Tokens(header);
    int64_t length_error = 0;
    for (uint64_t i = 0, changes = 1 + Below(3); i < changes; ++i) {
      const uint64_t kind = Below(40);
      if (kind == 0) data.resize(Below(data.size() + 9));
      if (kind == 1) length_error = static_cast<int64_t>(Below(5)) - 2;
      if (kind >= 2) ChangeTokens(kind, tokens);
    }
    std::string text;
    for (const std::string& token : tokens) text += token;
    if (Below(40) == 0) text[Below(text.size())] = static_cast<char>(Below(256));
    return Length(text.size() + static_cast<uint64_t>(length_error)) + text + data;
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  static std::vector<std::string> Tokens(const std::string& text) {
    std::vector<std::string> tokens;
    for (size_t start = 0, end; start < text.size(); start = end) {
      end = text[start] == '"' ? text.find('"', start + 1) + 1 : start + 1;
      while (std::isalnum(text[start]) && std::isalnum(text[end])) ++end;
      tokens.push_back(text.substr(start, end - start));
    }
    return tokens;
  }

  void ChangeTokens(uint64_t kind, std::vector<std::string>& tokens) {
    static const std::vector<std::string> kTokens = {"0",
                                                     "1",
                                                     "2",
                                                     "3",
                                                     "4",
                                                     "8",
                                                     "-1",
                                                     "-0",
                                                     "01",
                                                     "1.5",
                                                     "4e0",
                                                     "1e999",
                                                     "4294967296",
                                                     "9223372036854775808",
                                                     "18446744073709551608",
                                                     "18446744073709551615",
                                                     "18446744073709551616",
                                                     "null",
                                                     "true",
                                                     "\"F32\"",
                                                     "\"I32\"",
                                                     "\"F64\"",
                                                     "\"C64\"",
                                                     "\"BF16\"",
                                                     "\"F16\"",
                                                     "\"F4\"",
                                                     "\"F31\"",
                                                     "\"dtype\"",
                                                     "\"shape\"",
                                                     "\"data_offsets\"",
                                                     "\"__metadata__\"",
                                                     "\"\\u0061\"",
                                                     "\"\\ud800\"",
                                                     "\"\\ud83d\\ude00\"",
                                                     "\"\xC3\xA9\"",
                                                     "\"\xC0\x80\"",
                                                     "\"\"",
                                                     "[",
                                                     "]",
                                                     "{",
                                                     "}",
                                                     "[]",
                                                     "{}",
                                                     "[[]]",
                                                     ",",
                                                     ":",
                                                     ",1",
                                                     "\"x\":[{\"y\":1}],",
                                                     std::string(1, '\0'),
                                                     "\v",
                                                     "\xEF\xBB\xBF",
                                                     "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,8]},"};
    static const std::vector<std::string> kSpace = {" ", "\t", "\n", "\r\n"};
    const uint64_t at = Below(tokens.size());
    const auto position = tokens.begin() + static_cast<int64_t>(at);
    std::string& token = tokens[at];
    if (kind < 8) {
      token = kTokens[Below(kTokens.size())];
    } else if (kind < 12) {
      token = tokens[Below(tokens.size())];
    } else if (kind < 16) {
      std::swap(token, tokens[Below(tokens.size())]);
    } else if (kind < 18) {
      tokens.erase(position);
    } else if (kind < 22) {
      tokens.insert(position, kTokens[Below(kTokens.size())]);
    } else if (kind < 28) {
      tokens.insert(position, kSpace[Below(kSpace.size())]);
    } else {
      ReplaceSameKind(tokens, token);
    }
  }

  // A number by a number or a dtype by a dtype: what keeps the header well-formed and may keep it valid.
  void ReplaceSameKind(const std::vector<std::string>& tokens, std::string& token) {
    const std::string other = tokens[Below(tokens.size())];
    static const std::vector<std::string> kDtypes = {"\"F32\"", "\"I32\"", "\"U32\"", "\"F64\"", "\"I64\"", "\"U64\""};
    if (std::isdigit(token[0])) token = std::isdigit(other[0]) ? other : std::to_string(Below(40));
    if (token.size() == 5 && token.back() == '"') token = kDtypes[Below(kDtypes.size())];
  }

  std::mt19937_64 random_;
};

// Reads every tensor of a valid file; what cannot be read is refused with a reason, nothing else happens.
void ReadAll(const File& file) {
  const SafetensorsReader reader = file.Open();
  for (const TensorEntry& entry : reader.header().entries) {
    if (entry.dtype == "I64") reader.ReadInts(entry.name);
    const std::string error = MessageOf(file.directory(), [&] { reader.ReadReal(entry.name); });
    EXPECT_TRUE(error.empty() || error.find("not supported here") != error.npos) << error;
  }
}

TEST(Safetensors, AgreesWithAnIndependentChecker) {
  const std::string header = R"({"__metadata__":{"format":"pt"},)" + Entry("b", "I64", "2", "8,24") + "," +
                             Entry("a", "F32", "1,2", "0,8") + "," + Entry("e", "F32", "2,0", "8,8") + "," +
                             Entry("s", "F64", "", "24,32") + "," + Entry("h", "BF16", "2", "32,36") + "} ";
  Mutator mutator(1);
  const File file(FileBytes(header, std::string(36, '\0')));
  ASSERT_TRUE(Checker::Accepts(Get(file.path())));
  ASSERT_EQ(file.OpenError(), "");
  int accepted = 0;
  constexpr int kFiles = 20'000;
  for (int i = 0; i < kFiles; ++i) {
    const std::string bytes = mutator.Mutate(header, std::string(36, '\0'));
    uint64_t length;
    std::memcpy(&length, bytes.data(), sizeof(length));
    // Most go past the file system, for speed.
    const bool in_memory = i % 8 != 0 && length <= bytes.size() - 8;
    if (!in_memory) Put(file.path(), bytes);
    const std::string error =
        in_memory ? HeaderError(bytes.substr(8, length), bytes.size() - 8 - length) : file.OpenError();
    ASSERT_EQ(error.empty(), Checker::Accepts(bytes)) << "file " << i << ": " << bytes.substr(8) << "\n" << error;
    if (!error.empty()) continue;
    ++accepted;
    if (!in_memory) ReadAll(file);
  }
  EXPECT_GT(accepted, kFiles / 20);
  EXPECT_LT(accepted, kFiles / 2);
}

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

}  // namespace
}  // namespace ampgrad::models
