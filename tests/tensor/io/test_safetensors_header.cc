#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tensor/io/safetensors_header.h"
#include "tests/support/safetensors_files.h"

/// What a header must be and what it may be.
namespace ampgrad::io {
namespace {

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

// Seconds of processor time, which do not grow on a busy machine.
double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
constexpr double kSlow = 1;
#else
constexpr double kSlow = 20;
#endif

TEST(Safetensors, AcceptsTheLongestHeader) {
  const File file(FileBytes("{}" + std::string(99'999'998, ' ')));
  const double start = CpuSeconds();
  EXPECT_TRUE(file.Open().header().entries.empty());
  EXPECT_LT(CpuSeconds() - start, 1 * kSlow);
}

// As many tensors over the same bytes as a header has room for.
TEST(Safetensors, RefusesMillionsOfTensorsOverTheSameBytes) {
  std::string header = "{";
  header.reserve(kMaxHeaderBytes);
  int count = 0;
  while (header.size() + 80 < kMaxHeaderBytes) {
    header += (count ? "," : "") + Entry(std::to_string(count), "U8", "1", "0,1");
    ++count;
  }
  header += "}";
  EXPECT_GT(count, 1'500'000);
  const double start = CpuSeconds();
  EXPECT_EQ(HeaderError(header, 1),
            "f: tensor \"1\" has data_offsets [0, 1], expected them to begin at 1, where the data before it ends");
  EXPECT_LT(CpuSeconds() - start, 10 * kSlow);
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
  // The end of "b" is what a sum with overflow would give.
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
      {16, {"I16", "U16"}},
      {32, {"I32", "U32"}},
      {64, {"C64", "I64", "U64"}}};
  for (const auto& [bits, dtypes] : widths) {
    for (const std::string& dtype : dtypes) {
      const std::string header = "{" + Entry("a", dtype, "8", "0," + std::to_string(bits)) + "}";
      const File file(FileBytes(header, std::string(bits, '\0')));
      EXPECT_EQ(file.ReadError("a"), "D/f: tensor \"a\" is stored as " + dtype +
                                         ", which is not supported here; expected F32, F64, F16 or BF16");
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

TEST(Safetensors, OrdersEntriesByTheirData) {
  const auto header =
      ParseSafetensorsHeader("{" + Entry("a", "F32", "1", "4,8") + "," + Entry("b", "F32", "1", "0,4") + "}", 8, "f");
  ASSERT_EQ(header.entries.size(), 2u);
  EXPECT_EQ(header.entries[0].name, "b");
  EXPECT_EQ(header.entries[1].begin, 4u);
}

}  // namespace
}  // namespace ampgrad::io
