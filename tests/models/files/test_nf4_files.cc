#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "models/files/nf4_files.h"
#include "models/files/weight_files.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::models {
namespace {

// bitsandbytes' code table (functional.py, create_normal_map), written out once more.
constexpr float kValues[16] = {-1.0f,
                               -0.6961928009986877f,
                               -0.5250730514526367f,
                               -0.39491748809814453f,
                               -0.28444138169288635f,
                               -0.18477343022823334f,
                               -0.09105003625154495f,
                               0.0f,
                               0.07958029955625534f,
                               0.16093020141124725f,
                               0.24611230194568634f,
                               0.33791524171829224f,
                               0.44070982933044434f,
                               0.5626170039176941f,
                               0.7229568362236023f,
                               1.0f};

template <class Number>
std::string Bytes(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

// A model.safetensors of raw bytes.
class RawFile {
 public:
  void Add(const std::string& name, const std::string& dtype, const std::string& shape, const std::string& bytes) {
    header_ += (header_.empty() ? "{" : ",") + ("\"" + name) + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
               ",\"data_offsets\":[" + std::to_string(data_.size()) + "," +
               std::to_string(data_.size() + bytes.size()) + "]}";
    data_ += bytes;
  }
  void Write(const std::filesystem::path& directory) const {
    const std::string header = header_ + "}";
    Put(directory / "model.safetensors", Bytes(std::vector<uint64_t>{header.size()}) + header + data_);
  }

 private:
  std::string header_, data_;
};

struct Case {
  Index out, in, block;
  bool nested;
};

class Nf4 : public ::testing::TestWithParam<Case> {};

TEST_P(Nf4, ReadsWhatBitsandbytesMeans) {
  const auto [out, in, block, nested] = GetParam();
  std::mt19937 random(1);
  const Index numbers = out * in, scales = (numbers + block - 1) / block, outer = (scales + 1) / 2;
  std::vector<uint8_t> codes(static_cast<size_t>(numbers / 2)), nested_codes(static_cast<size_t>(scales));
  std::vector<float> plain, nested_scales, nested_map(256);
  for (uint8_t& byte : codes) byte = static_cast<uint8_t>(random());
  for (uint8_t& byte : nested_codes) byte = static_cast<uint8_t>(random());
  for (Index i = 0; i < scales; ++i) plain.push_back(0.01f * static_cast<float>(i + 1));
  for (Index i = 0; i < outer; ++i) nested_scales.push_back(0.5f + static_cast<float>(i));
  for (size_t i = 0; i < nested_map.size(); ++i) nested_map[i] = static_cast<float>(i) / 300 - 0.3f;
  const float offset = 0.75f;

  RawFile file;
  file.Add("w", "U8", "[" + std::to_string(codes.size()) + ",1]", Bytes(codes));
  std::string state = R"({"quant_type":"nf4","blocksize":)" + std::to_string(block) +
                      R"(,"dtype":"bfloat16","shape":[)" + std::to_string(out) + "," + std::to_string(in) + "]";
  const auto extent = [](size_t n) { return "[" + std::to_string(n) + "]"; };
  if (nested) {
    file.Add("w.absmax", "U8", extent(nested_codes.size()), Bytes(nested_codes));
    file.Add("w.nested_absmax", "F32", extent(nested_scales.size()), Bytes(nested_scales));
    file.Add("w.nested_quant_map", "F32", "[256]", Bytes(nested_map));
    state += R"(,"nested_blocksize":2,"nested_dtype":"float32","nested_offset":0.75)";
  } else {
    file.Add("w.absmax", "F32", extent(plain.size()), Bytes(plain));
  }
  state += "}";
  file.Add("w.quant_map", "F32", "[16]", Bytes(std::vector<float>(kValues, kValues + 16)));
  file.Add("w.quant_state.bitsandbytes__nf4", "U8", extent(state.size()), state);
  file.Add("norm", "F32", "[1]", Bytes(std::vector<float>{2}));
  const TempDir directory;
  file.Write(directory.path());

  const std::unique_ptr<WeightFiles> weights = OpenWeights(directory.path());
  EXPECT_EQ(weights->Names(), (std::vector<std::string>{"norm", "w"}));
  ASSERT_EQ(weights->ShapeOf("w"), Shape({out, in}));
  EXPECT_EQ(weights->ReadReal("norm")[0], Real{2});
  const StoredTensor stored = weights->ReadStored("w");
  EXPECT_EQ(stored.type(), in % 32 == 0 ? StoredType::kNf4 : kRealType);
  const Tensor wide = stored.Widened();
  for (Index i = 0; i < numbers; ++i) {
    const size_t b = static_cast<size_t>(i / block);
    const float scale = nested ? nested_map[nested_codes[b]] * nested_scales[b / 2] + offset : plain[b];
    const uint8_t byte = codes[static_cast<size_t>(i / 2)];
    const int code = i % 2 == 0 ? byte >> 4 : byte & 15;  // the upper four bits first
    ASSERT_EQ(wide[i], static_cast<Real>(kValues[code]) * static_cast<Real>(scale)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Nf4,
                         ::testing::Values(Case{3, 64, 64, false}, Case{4, 128, 128, true}, Case{2, 32, 32, true},
                                           Case{5, 48, 64, false}),
                         [](const auto& info) { return "Case" + std::to_string(info.index); });

TEST(Nf4Files, RefusesOtherQuantisations) {
  const TempDir directory;
  const auto error = [&](const std::string& state, std::vector<float> map, size_t codes) {
    RawFile file;
    file.Add("w", "U8", "[" + std::to_string(codes) + ",1]", std::string(codes, '\0'));
    file.Add("w.absmax", "F32", "[1]", Bytes(std::vector<float>{1}));
    file.Add("w.quant_map", "F32", "[" + std::to_string(map.size()) + "]", Bytes(map));
    file.Add("w.quant_state.bitsandbytes__nf4", "U8", "[" + std::to_string(state.size()) + "]", state);
    file.Write(directory.path());
    return MessageOf(directory.path(), [&] { OpenWeights(directory.path())->ReadStored("w"); });
  };
  const std::vector<float> map(kValues, kValues + 16);
  const std::string start = "D/model.safetensors: tensor \"w.quant_state.bitsandbytes__nf4\": expected ";
  EXPECT_EQ(error(R"({"quant_type":"fp4","blocksize":64,"shape":[2,32]})", map, 32),
            start + "quant_type to be \"nf4\", found \"fp4\"");
  EXPECT_EQ(error(R"({"quant_type":"nf4","blocksize":40,"shape":[2,32]})", map, 32),
            start + "blocksize to be a multiple of 32, found 40");
  EXPECT_EQ(error(R"({"quant_type":"nf4","blocksize":64,"shape":[64]})", map, 32),
            start + "shape to be two extents, found [64]");
  EXPECT_EQ(error(R"({"quant_type":"nf4","blocksize":64,"shape":[2,32]})", std::vector<float>(16), 32),
            "D/model.safetensors: tensor \"w.quant_map\": expected the 16 values of NF4, found others");
  EXPECT_EQ(error(R"({"quant_type":"nf4","blocksize":64,"shape":[2,32]})", map, 31),
            "D/model.safetensors: tensor \"w\": expected 32 bytes for the shape [2, 32], found 31");
  EXPECT_EQ(error(R"({"quant_type":"nf4","blocksize":32,"shape":[2,32]})", map, 32),
            "D/model.safetensors: tensor \"w.absmax\": expected 2 scales, found 1");
}

}  // namespace
}  // namespace ampgrad::models
