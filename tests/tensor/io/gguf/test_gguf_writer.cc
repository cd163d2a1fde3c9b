#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/io/gguf/gguf_writer.h"
#include "tests/support/files.h"
#include "tests/support/safetensors_files.h"
#include "tests/support/temp_dir.h"

/// GGUF files byte by byte, as the format's description has them.
namespace ampgrad::io {
namespace {

std::string U32(uint32_t number) { return BytesOf<uint32_t>({number}); }
std::string U64(uint64_t number) { return BytesOf<uint64_t>({number}); }
std::string Text(const std::string& text) { return U64(text.size()) + text; }
std::string Zeros(size_t count) { return std::string(count, '\0'); }

TEST(GgufWriter, WritesValuesOfEveryType) {
  const TempDir directory;
  GgufWriter writer(directory.path() / "f",
                    {{"s", "text"},
                     {"u", uint32_t{7}},
                     {"i", int32_t{-7}},
                     {"f", 0.5f},
                     {"b", true},
                     {"as", std::vector<std::string>{"a", ""}},
                     {"au", std::vector<uint32_t>{1, 2}},
                     {"ai", std::vector<int32_t>{-1}},
                     {"af", std::vector<float>{}}},
                    {});
  writer.Commit();
  const std::string header = "GGUF" + U32(3) + U64(0) + U64(9) +                                          //
                             Text("s") + U32(8) + Text("text") + Text("u") + U32(4) + U32(7) +            //
                             Text("i") + U32(5) + BytesOf<int32_t>({-7}) +                                //
                             Text("f") + U32(6) + BytesOf<float>({0.5f}) + Text("b") + U32(7) + "\x01" +  //
                             Text("as") + U32(9) + U32(8) + U64(2) + Text("a") + Text("") +               //
                             Text("au") + U32(9) + U32(4) + U64(2) + U32(1) + U32(2) +                    //
                             Text("ai") + U32(9) + U32(5) + U64(1) + BytesOf<int32_t>({-1}) +             //
                             Text("af") + U32(9) + U32(6) + U64(0);
  EXPECT_EQ(Get(directory.path() / "f"), header + Zeros((32 - header.size() % 32) % 32));
}

TEST(GgufWriter, AlignsTensorsAndReversesShapes) {
  const TempDir directory;
  const std::string blocks(2 * 34, 'q');
  GgufWriter writer(directory.path() / "f", {},
                    {{"a", GgmlType::kF32, {2, 3}},
                     {"b", GgmlType::kBf16, {1}},
                     {"c", GgmlType::kQ8_0, {1, 2, 32}},
                     {"d", GgmlType::kF16, {1}}});
  writer.Write(Tensor::FromValues({2, 3}, {1, 2, 3, 4, 5, 6}));
  writer.Write(Tensor::FromValues({1}, {-2}));
  writer.WriteBlocks(blocks.data(), static_cast<Index>(blocks.size()));
  EXPECT_NE(FilesIn(directory.path())[0], "f") << "it appeared before it was whole";
  writer.Write(Tensor::FromValues({1}, {-2}));
  writer.Commit();
  const std::string header = "GGUF" + U32(3) + U64(4) + U64(0) +                                  //
                             Text("a") + U32(2) + U64(3) + U64(2) + U32(0) + U64(0) +             //
                             Text("b") + U32(1) + U64(1) + U32(30) + U64(32) +                    //
                             Text("c") + U32(3) + U64(32) + U64(2) + U64(1) + U32(8) + U64(64) +  //
                             Text("d") + U32(1) + U64(1) + U32(1) + U64(160);
  const std::string data = BytesOf<float>({1, 2, 3, 4, 5, 6}) + Zeros(8) +  //
                           BytesOf<uint16_t>({0xC000}) + Zeros(30) +        //
                           blocks + Zeros(28) +                             //
                           BytesOf<uint16_t>({0xC000}) + Zeros(30);
  EXPECT_EQ(Get(directory.path() / "f"), header + Zeros((32 - header.size() % 32) % 32) + data);
}

TEST(GgufWriter, RefusesWhatNoReaderAccepts) {
  const TempDir directory;
  const auto error = [&](const GgufValues& values, const std::vector<GgufTensorPlan>& tensors) {
    return MessageOf(directory.path(), [&] { GgufWriter(directory.path() / "f", values, tensors); });
  };
  const std::string start = "D/f: cannot write ";
  EXPECT_EQ(error({{"a", true}, {"a", true}}, {}), start + "two values of \"a\"");
  EXPECT_EQ(error({{"", true}}, {}), start + "a key of 0 bytes");
  EXPECT_EQ(error({}, {{"a", GgmlType::kF32, {1}}, {"a", GgmlType::kF32, {1}}}), start + "two tensors named \"a\"");
  EXPECT_EQ(error({}, {{std::string(64, 'a'), GgmlType::kF32, {1}}}),
            start + "tensor \"" + std::string(64, 'a') + "\": expected a name of 1..63 bytes");
  EXPECT_EQ(error({}, {{"a", GgmlType::kQ4K, {256, 32}}}),
            start + "tensor \"a\": expected rows of a multiple of 256 numbers, found the shape [256, 32]");
  EXPECT_EQ(error({}, {{"a", GgmlType::kF32, {}}}),
            start + "tensor \"a\": expected rows of a multiple of 1 numbers, found the shape []");
  EXPECT_TRUE(FilesIn(directory.path()).empty());
}

TEST(GgufWriter, RefusesOtherTensorsThanDeclared) {
  const TempDir directory;
  GgufWriter writer(directory.path() / "f", {}, {{"a", GgmlType::kQ8_0, {32}}, {"b", GgmlType::kF16, {2}}});
  const auto error = [&](const auto& action) { return MessageOf(directory.path(), action); };
  const std::string start = "D/f: cannot write tensor ";
  EXPECT_EQ(error([&] { writer.Write(Tensor({32})); }), start + "\"a\" as numbers, expected its blocks");
  EXPECT_EQ(error([&] { writer.WriteBlocks("", 0); }), start + "\"a\": expected 34 bytes, found 0");
  writer.WriteBlocks(Zeros(34).data(), 34);
  EXPECT_EQ(error([&] { writer.Write(Tensor({3})); }),
            start + "\"b\": expected the shape [2] that was declared, found [3]");
  EXPECT_EQ(error([&] {
              writer.Write(Tensor::FromValues({2}, {1, 1e6}));
            }),
            start + "\"b\" of shape [2]: expected finite numbers, found inf at index 1");
  EXPECT_EQ(error([&] { writer.Commit(); }), "D/f: tensor \"b\" was never written");
  EXPECT_THROW(writer.Commit(), std::logic_error);
}

}  // namespace
}  // namespace ampgrad::io
