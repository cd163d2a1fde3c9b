#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tensor/io/gguf/gguf_header.h"
#include "tests/reference/gguf_checker.h"
#include "tests/support/files.h"
#include "tests/tensor/io/gguf/gguf_bytes.h"

namespace ampgrad::io {
namespace {

// What the user sees when a file is refused; "" when it is not. The independent checker must agree.
std::string Refused(const GgufBytes& file) {
  const std::string message = MessageOf("", [&] { ParseGgufHeader(file.bytes, "f"); });
  EXPECT_EQ(message.empty(), reference::GgufChecker::Accepts(file.bytes)) << message;
  return message;
}

// A file with one value, whose type and bytes `add` writes.
std::string ValueRefused(const std::function<void(GgufBytes&)>& add) {
  GgufBytes file;
  file.Start(0, 1).Text("k");
  add(file);
  return Refused(file);
}

// A file with one tensor "t".
std::string TensorRefused(const std::vector<uint64_t>& extents, uint32_t type, uint64_t offset, uint64_t data = 64) {
  return Refused(GgufBytes().Start(1, 0).Tensor("t", extents, type, offset).Data(data));
}

TEST(GgufHeader, ReadsValuesOfEveryType) {
  GgufBytes file;
  file.Start(0, 14, 2);
  file.Text("u8").Add<uint32_t>(0).Add<uint8_t>(255);
  file.Text("i8").Add<uint32_t>(1).Add<int8_t>(-128);
  file.Text("u16").Add<uint32_t>(2).Add<uint16_t>(65535);
  file.Text("i16").Add<uint32_t>(3).Add<int16_t>(-3);
  file.U32("u32", 4294967295u);
  file.Text("i32").Add<uint32_t>(5).Add<int32_t>(-5);
  file.Text("f32").Add<uint32_t>(6).Add<float>(0.5f);
  file.Text("bool").Add<uint32_t>(7).Add<uint8_t>(1);
  file.String("string", "\u00e9");
  file.Text("array").Add<uint32_t>(9).Add<uint32_t>(8).Add<uint64_t>(2).Text("a").Text("");
  file.Text("u64").Add<uint32_t>(10).Add<uint64_t>(UINT64_MAX);
  file.Text("i64").Add<uint32_t>(11).Add<int64_t>(INT64_MIN);
  file.Text("f64").Add<uint32_t>(12).Add<double>(0.1);
  file.Text("nested").Add<uint32_t>(9).Add<uint32_t>(9).Add<uint64_t>(1).Add<uint32_t>(0).Add<uint64_t>(1).Add<char>(7);
  ASSERT_EQ(Refused(file), "");
  const nlohmann::json values = ParseGgufHeader(file.bytes, "f").values;
  EXPECT_EQ(values, nlohmann::json::parse(R"({"u8":255,"i8":-128,"u16":65535,"i16":-3,"u32":4294967295,"i32":-5,
    "f32":0.5,"bool":true,"string":"\u00e9","array":["a",""],"u64":18446744073709551615,"i64":-9223372036854775808,
    "f64":0.1,"nested":[[7]]})"));
}

TEST(GgufHeader, PlacesTensorsBehindTheHeader) {
  GgufBytes file;
  file.Start(2, 1).U32("general.alignment", 64).Tensor("b", {32, 2, 3}, 2, 128).Tensor("a", {5}, 0, 0).Data(236, 64);
  ASSERT_EQ(Refused(file), "");
  const GgufHeader header = ParseGgufHeader(file.bytes, "f");
  ASSERT_EQ(header.tensors.size(), 2u);
  EXPECT_EQ(header.tensors[0].shape, Shape({3, 2, 32}));
  EXPECT_EQ(header.tensors[0].type, GgmlType::kQ4_0);
  EXPECT_EQ(header.tensors[0].end, file.bytes.size());
  EXPECT_EQ(header.tensors[0].begin, file.bytes.size() - 108);  // 6 rows of one block of 18 bytes
  EXPECT_EQ(header.tensors[1].shape, Shape({5}));
  EXPECT_EQ(header.tensors[1].end - header.tensors[1].begin, 20u);
  EXPECT_EQ(header.tensors[1].begin % 64, 0u);
}

TEST(GgufHeader, RefusesOtherFiles) {
  EXPECT_EQ(Refused({}),
            "f: expected the magic number at byte 0 to fit in the file, found 1 of at least 4 bytes each before the 0 "
            "that are left");
  EXPECT_EQ(Refused({"safetensors"}), "f: not a GGUF file: expected the bytes GGUF at its start");
  EXPECT_EQ(Refused(GgufBytes().Start(0, 0, 1)), "f: expected version 2 or 3 of GGUF, found 1");
  EXPECT_EQ(Refused(GgufBytes().Start(0, 0, 0x03000000)),
            "f: a big-endian GGUF file, which is not supported; convert it to little-endian");
}

TEST(GgufHeader, RefusesCountsBeyondTheFile) {
  EXPECT_EQ(
      Refused(GgufBytes().Start(0, UINT64_MAX)),
      "f: expected the values at byte 24 to fit in the file, found 18446744073709551615 of at least 14 bytes each "
      "before the 0 that are left");
  EXPECT_EQ(
      Refused(GgufBytes().Start(9, 0)),
      "f: expected the tensors at byte 24 to fit in the file, found 9 of at least 33 bytes each before the 0 that "
      "are left");
  EXPECT_EQ(
      ValueRefused([](GgufBytes& f) { f.Add<uint32_t>(8).Add<uint64_t>(99).bytes += "abc"; }),
      "f: expected the value of \"k\" at byte 45 to fit in the file, found 99 of at least 1 bytes each before the 3 "
      "that are left");
  EXPECT_EQ(
      ValueRefused([](GgufBytes& f) { f.Add<uint32_t>(9).Add<uint32_t>(6).Add<uint64_t>(1ull << 62); }),
      "f: expected the value of \"k\" at byte 49 to fit in the file, found 4611686018427387904 of at least 4 bytes "
      "each before the 0 that are left");
}

TEST(GgufHeader, RefusesValues) {
  EXPECT_EQ(ValueRefused([](GgufBytes& f) { f.Add<uint32_t>(13).Add<uint64_t>(0); }),
            "f: expected the value of \"k\" to have a type of 0..12, found 13");
  EXPECT_EQ(ValueRefused([](GgufBytes& f) { f.Add<uint32_t>(9).Add<uint32_t>(13).Add<uint64_t>(0); }),
            "f: expected the value of \"k\" to hold a type of 0..12, found 13");
  EXPECT_EQ(ValueRefused([](GgufBytes& f) { f.Add<uint32_t>(7).Add<uint8_t>(2); }),
            "f: expected the value of \"k\" to be 0 or 1, as it is a bool, found 2");
  EXPECT_EQ(ValueRefused([](GgufBytes& f) { f.Add<uint32_t>(8).Text("a\xFF"); }),
            "f: the value of \"k\": expected UTF-8, found the byte 0xFF at byte 1");
  EXPECT_EQ(ValueRefused([](GgufBytes& f) {
              f.Add<uint32_t>(9);
              for (int i = 0; i < 9; ++i) f.Add<uint32_t>(9).Add<uint64_t>(1);
              f.Add<uint32_t>(0).Add<uint64_t>(0);
            }),
            "f: the value of \"k\" nests arrays more than 8 deep");
  EXPECT_EQ(Refused(GgufBytes().Start(0, 2).U32("k", 1).U32("k", 1)), "f: the header holds \"k\" twice");
  EXPECT_EQ(Refused(GgufBytes().Start(0, 1).U32("", 1)), "f: expected key 0 to have 1..65535 bytes, found 0");
  EXPECT_EQ(Refused(GgufBytes().Start(0, 1).U32("general.alignment", 12)),
            "f: expected general.alignment to be a multiple of 8 of at most 1048576, found 12");
  EXPECT_EQ(Refused(GgufBytes().Start(0, 1).String("general.alignment", "8")),
            "f: expected general.alignment to be a multiple of 8 of at most 1048576, found \"8\"");
}

TEST(GgufHeader, RefusesTensors) {
  EXPECT_EQ(TensorRefused({8}, 0, 0), "");
  EXPECT_EQ(TensorRefused({}, 0, 0), "f: expected tensor \"t\" to have 1..4 dimensions, found 0");
  EXPECT_EQ(TensorRefused({1, 1, 1, 1, 1}, 0, 0), "f: expected tensor \"t\" to have 1..4 dimensions, found 5");
  EXPECT_EQ(TensorRefused({8, 0}, 0, 0), "f: expected the extents of tensor \"t\" to be at least 1, found 0");
  EXPECT_EQ(
      TensorRefused({256}, 10, 0),
      "f: tensor \"t\" is stored as Q2_K, which is not supported; expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, "
      "Q5_1, Q4_K, Q5_K or Q6_K");
  EXPECT_EQ(TensorRefused({256}, 77, 0),
            "f: tensor \"t\" is stored as type 77, which is not supported; expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, "
            "Q5_0, Q5_1, Q4_K, Q5_K or Q6_K");
  EXPECT_EQ(TensorRefused({48}, 8, 0),
            "f: expected the rows of tensor \"t\" to be a multiple of 32 numbers, as it is stored as Q8_0, found 48");
  EXPECT_EQ(TensorRefused({1ull << 32, 1ull << 32}, 0, 0), "f: tensor \"t\" is larger than any file");
  EXPECT_EQ(TensorRefused({1}, 0, UINT64_MAX - 31),
            "f: expected tensor \"t\" to end within the 64 bytes behind the "
            "header, found its end at 18446744073709551588");
  EXPECT_EQ(TensorRefused({8}, 0, 8),
            "f: expected the offset of tensor \"t\" to be a multiple of the alignment of 32 bytes, found 8");
  EXPECT_EQ(TensorRefused({17}, 0, 0),
            "f: expected tensor \"t\" to end within the 64 bytes behind the header, found its end at 68");
  EXPECT_EQ(Refused(GgufBytes().Start(1, 0).Tensor("", {8}, 0, 0).Data(64)),
            "f: expected the name of tensor 0 to have 1..64 bytes, found 0");
  EXPECT_EQ(Refused(GgufBytes().Start(2, 0).Tensor("t", {8}, 0, 0).Tensor("t", {8}, 0, 32).Data(64)),
            "f: the header holds tensor \"t\" twice");
  EXPECT_EQ(Refused(GgufBytes().Start(2, 0).Tensor("b", {8}, 0, 32).Tensor("a", {9}, 0, 0).Data(64)),
            "f: tensors \"a\" and \"b\" overlap");
}

}  // namespace
}  // namespace ampgrad::io
