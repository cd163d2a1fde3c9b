#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"
#include "train/analysis/reference_check.h"

/// A reference directory is an input like any other: what is wrong with it is said in a sentence.
namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A tensor as golden.safetensors holds it.
struct Stored {
  std::string dtype;
  std::vector<uint64_t> shape;
  std::string bytes;
};

class ReferenceFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& entry : fs::directory_iterator(Golden("llama-tiny"))) {
      if (entry.is_regular_file()) Put(path() / entry.path().filename(), Get(entry.path()));
    }
  }
  fs::path path() const { return directory_.path(); }
  std::string Error() const {
    return MessageOf(path(), [&] { CheckReference(path()); });
  }

  std::string WithJson(const std::function<void(Json&)>& change) const {
    const std::string before = Get(path() / "golden.json");
    Json json = Json::parse(before);
    change(json);
    Put(path() / "golden.json", json.dump());
    const std::string error = Error();
    Put(path() / "golden.json", before);
    return error;
  }

  std::string WithTensor(const std::string& name, const std::function<void(Stored&)>& change) const {
    const std::string before = Get(path() / "golden.safetensors");
    uint64_t size = 0;
    std::memcpy(&size, before.data(), 8);
    const Json old = Json::parse(before.substr(8, size));
    Json header;
    std::string data;
    for (const auto& [key, entry] : old.items()) {
      if (key == "__metadata__") continue;
      const uint64_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
      Stored tensor{entry["dtype"], entry["shape"], before.substr(8 + size + begin, end - begin)};
      if (key == name) change(tensor);
      header[key] = {{"dtype", tensor.dtype},
                     {"shape", tensor.shape},
                     {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
      data += tensor.bytes;
    }
    const std::string text = header.dump();
    const uint64_t length = text.size();
    Put(path() / "golden.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + text + data);
    const std::string error = Error();
    Put(path() / "golden.safetensors", before);
    return error;
  }

  // The first number of an I64 tensor becomes `id`.
  std::string WithId(const std::string& name, int64_t id) const {
    return WithTensor(name, [&](Stored& t) { std::memcpy(t.bytes.data(), &id, 8); });
  }

 private:
  TempDir directory_;
};

TEST_F(ReferenceFaults, IdsHaveAShapeAndARange) {
  const std::string file = "D/golden.safetensors: expected ";
  EXPECT_EQ(Error(), "");
  const auto scalar = [](Stored& t) { t.shape.clear(), t.bytes.resize(8); };
  EXPECT_TRUE(WithTensor("input_ids", scalar).starts_with(file + "input_ids of shape [sequences, 1.."));
  EXPECT_TRUE(WithTensor("input_ids", [](Stored& t) {
                t.shape = {t.shape[0] * t.shape[1]};
              }).starts_with(file + "input_ids of shape [sequences, 1.."));
  EXPECT_TRUE(WithTensor("input_ids", [](Stored& t) {
                t.shape = {0, t.shape[1]}, t.bytes.clear();
              }).starts_with(file + "input_ids of shape [sequences, 1.."));
  EXPECT_TRUE(WithTensor("targets", scalar).starts_with(file + "targets of shape ["));
  for (const int64_t id : {int64_t{-1}, int64_t{-100}, int64_t{1} << 32, (int64_t{1} << 32) + 3, INT64_MIN}) {
    const std::string error = WithId("input_ids", id);
    EXPECT_TRUE(error.starts_with(file + "input_ids in 0..") && error.ends_with(", found " + std::to_string(id)))
        << error;
  }
  const std::string error = WithId("targets", int64_t{1} << 32);
  EXPECT_TRUE(error.starts_with(file + "targets in 0..") && error.ends_with(" or -100, found 4294967296")) << error;
  EXPECT_EQ(WithTensor("targets",
                       [](Stored& t) {
                         const int64_t ignored = -100;
                         for (size_t i = 0; i < t.bytes.size(); i += 8) std::memcpy(t.bytes.data() + i, &ignored, 8);
                       }),
            file + "a target, found none");
}

TEST_F(ReferenceFaults, SettingsHaveARange) {
  const std::string file = "D/golden.json: expected ";
  for (const Json& betas : {Json(), Json(0.9), Json({0.9}), Json({0.9, 0.99, 0.999}), Json({{"0", 1}})}) {
    const std::string error = WithJson([&](Json& json) { json["betas"] = betas; });
    EXPECT_TRUE(error.starts_with(file + "betas to be a list of two numbers, found ")) << error;
  }
  EXPECT_EQ(WithJson([](Json& json) {
              json["betas"] = {0.9, 1.0};
            }),
            file + "betas[1] to be a number from 0 to below 1, found 1.0");
  EXPECT_EQ(WithJson([](Json& json) { json["eps"] = 0; }), file + "eps to be a number over 0, found 0");
  EXPECT_EQ(WithJson([](Json& json) { json["lr"] = -1; }), file + "lr to be a number in 0..1e30, found -1");
  EXPECT_EQ(WithJson([](Json& json) { json["losses_full"] = Json::array(); }),
            file + "losses_full to be a list of losses that is not empty, found []");
  EXPECT_EQ(WithJson([](Json& json) { json["losses_full"][0] = "x"; }),
            file + "losses_full[0] to be a number, found \"x\"");
  for (const Json& k : {Json(0), Json(-1), Json(1e9), Json(2.5), Json(1 << 30), Json()}) {
    const std::string error = WithJson([&](Json& json) { json["K"] = k; });
    EXPECT_TRUE(error.starts_with(file + "K to be an integer in 1..")) << error;
  }
}

TEST_F(ReferenceFaults, TensorsHaveOurShape) {
  for (const std::string name : {"logits", "mean", "eigenvalues", "basis"}) {
    const std::string error =
        WithTensor(name, [](Stored& t) { t.shape = {1}, t.bytes.resize(t.dtype == "F64" ? 8 : 4); });
    EXPECT_TRUE(error.starts_with("D/golden.safetensors: expected " + name + " of shape [")) << error;
    EXPECT_TRUE(error.ends_with(", found [1]")) << error;
  }
  const std::string transposed = WithTensor("basis", [](Stored& t) { std::swap(t.shape[0], t.shape[1]); });
  EXPECT_TRUE(transposed.starts_with("D/golden.safetensors: expected basis of shape [")) << transposed;
}

}  // namespace
}  // namespace ampgrad::train
