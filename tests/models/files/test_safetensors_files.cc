#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/files/safetensors_files.h"
#include "models/model_directory.h"
#include "tensor/io/safetensors_writer.h"
#include "tests/support/safetensors_files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

/// Weights in one file and in several.
namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kIndex[] = "model.safetensors.index.json";

// A directory whose index maps "a" and "b" to one.safetensors, "c" to two.safetensors.
class Sharded {
 public:
  Sharded() {
    Write("one.safetensors", {{"a", Tensor::Scalar(1)}, {"b", Tensor::FromValues({2}, {2, 3})}});
    Write("two.safetensors", {{"c", Tensor::Scalar(4)}});
    PutMap({{"a", "one.safetensors"}, {"b", "one.safetensors"}, {"c", "two.safetensors"}});
  }

  fs::path path() const { return directory_.path(); }
  void Write(const std::string& file, const std::vector<io::NamedTensor>& tensors) const {
    io::WriteSafetensors(path() / file, tensors, {});
  }
  void PutMap(const json& map) const { PutIndex({{"metadata", {{"total_size", 16}}}, {"weight_map", map}}); }
  void PutIndex(const json& index) const { Put(path() / kIndex, index.dump()); }
  SafetensorsFiles Open() const { return SafetensorsFiles(path()); }
  std::string Error() const {
    return MessageOf(path(), [&] { Open(); });
  }
  std::string ErrorWithMap(const json& map) const {
    PutMap(map);
    return Error();
  }

 private:
  TempDir directory_;
};

std::vector<Real> Numbers(const Tensor& tensor) { return {tensor.begin(), tensor.end()}; }

TEST(SafetensorsFiles, ReadsASingleFile) {
  const TempDir directory;
  io::WriteSafetensors(directory.path() / "model.safetensors", {{"b", Tensor::Scalar(2)}, {"a", Tensor({2, 3})}}, {});
  const SafetensorsFiles weights(directory.path());
  EXPECT_EQ(weights.file(), (directory.path() / "model.safetensors").string());
  EXPECT_EQ(weights.Names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(weights.notes().empty());
  EXPECT_EQ(weights.ShapeOf("a"), Shape({2, 3}));
  EXPECT_EQ(weights.ReadStored("a").type(), StoredType::kF32);
  EXPECT_EQ(weights.FileOf("a"), weights.file());
  EXPECT_EQ(weights.ReadReal("b")[0], Real{2});
  EXPECT_EQ(MessageOf(directory.path(), [&] { weights.ReadReal("c"); }),
            "D/model.safetensors: expected a tensor \"c\", found none among its 2 tensors");
}

TEST(SafetensorsFiles, ReadsShards) {
  const Sharded sharded;
  const SafetensorsFiles weights = sharded.Open();
  EXPECT_EQ(weights.file(), (sharded.path() / kIndex).string());
  EXPECT_EQ(weights.Names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(weights.notes().empty());
  EXPECT_EQ(Numbers(weights.ReadReal("b")), (std::vector<Real>{2, 3}));
  EXPECT_EQ(weights.ReadReal("c")[0], Real{4});
  EXPECT_EQ(weights.FileOf("b"), (sharded.path() / "one.safetensors").string());
  EXPECT_EQ(weights.FileOf("c"), (sharded.path() / "two.safetensors").string());
  EXPECT_EQ(MessageOf(sharded.path(), [&] { weights.ReadReal("d"); }),
            "D/model.safetensors.index.json: expected a tensor \"d\", found none among its 3 tensors");
}

TEST(SafetensorsFiles, ListsAllMissingShards) {
  const Sharded sharded;
  const std::string start = "D/model.safetensors.index.json: these files of its weight_map are missing: ";
  fs::remove(sharded.path() / "two.safetensors");
  EXPECT_EQ(sharded.Error(), start + "\"two.safetensors\"");
  fs::remove(sharded.path() / "one.safetensors");
  EXPECT_EQ(sharded.Error(), start + "\"one.safetensors\", \"two.safetensors\"");
}

TEST(SafetensorsFiles, RefusesAShardWithoutAMappedTensor) {
  const Sharded sharded;
  EXPECT_EQ(sharded.ErrorWithMap({{"a", "two.safetensors"}}),
            "D/two.safetensors: expected a tensor \"a\", found none among its 1 tensors");
}

TEST(SafetensorsFiles, RefusesATensorInTwoShards) {
  const Sharded sharded;
  sharded.Write("two.safetensors", {{"c", Tensor::Scalar(4)}, {"b", Tensor::Scalar(5)}});
  EXPECT_EQ(sharded.Error(),
            "D/two.safetensors: tensor \"b\" is also in D/one.safetensors, expected it in one of them");
}

TEST(SafetensorsFiles, NotesTensorsThatAreNotMapped) {
  const Sharded sharded;
  sharded.PutMap({{"a", "one.safetensors"}, {"c", "two.safetensors"}});
  const SafetensorsFiles weights = sharded.Open();
  EXPECT_FALSE(weights.Has("b"));
  EXPECT_EQ(weights.notes(),
            std::vector<std::string>{(sharded.path() / "one.safetensors").string() +
                                     ": 1 of its tensors, such as \"b\", are not in the index and are not read"});
}

TEST(SafetensorsFiles, RefusesNamesThatAreNoBareFileNames) {
  const Sharded sharded;
  fs::create_directory(sharded.path() / "sub");
  sharded.Write("sub/x", {{"a", Tensor::Scalar(1)}});
  const std::string start =
      "D/model.safetensors.index.json: expected weight_map.a to be the name of a file in this directory, found ";
  for (const std::string name : {"../x", "/etc/passwd", "sub/x", "./one.safetensors", ".", "..", "", "sub/"}) {
    EXPECT_EQ(sharded.ErrorWithMap({{"a", name}}), start + "\"" + name + "\"");
  }
  EXPECT_EQ(sharded.ErrorWithMap({{"a", "..\\x"}}), start + R"("..\\x")");
  EXPECT_EQ(sharded.ErrorWithMap({{"a", std::string("one.safetensors\0", 16)}}), start + R"("one.safetensors\u0000")");
  const std::string too_long = sharded.ErrorWithMap({{"a", std::string(5000, 'x')}});
  EXPECT_TRUE(too_long.starts_with(start + "\"xxx") && too_long.size() < 500) << too_long;
  EXPECT_EQ(sharded.ErrorWithMap({{"a", "sub"}}), "D/sub: expected a regular file, found a directory");
}

TEST(SafetensorsFiles, RefusesLinksOutOfTheDirectory) {
  const Sharded sharded;
  const TempDir elsewhere;
  fs::rename(sharded.path() / "two.safetensors", elsewhere.path() / "two");
  fs::create_symlink(elsewhere.path() / "two", sharded.path() / "two.safetensors");
  EXPECT_EQ(sharded.Error(), "D/two.safetensors: expected a file in this directory, found a link to " +
                                 fs::canonical(elsewhere.path() / "two").string());
  fs::remove(sharded.path() / "two.safetensors");
  fs::create_symlink("nowhere", sharded.path() / "two.safetensors");
  EXPECT_EQ(sharded.Error(),
            "D/model.safetensors.index.json: these files of its weight_map are missing: \"two.safetensors\"");
}

TEST(SafetensorsFiles, FollowsLinksWithinTheDirectoryAndIntoTheCacheOfHuggingFace) {
  const Sharded sharded;
  fs::rename(sharded.path() / "two.safetensors", sharded.path() / "2");
  fs::create_symlink("2", sharded.path() / "two.safetensors");
  EXPECT_EQ(sharded.Error(), "");

  const TempDir cache;
  const fs::path snapshot = cache.path() / "snapshots" / "0123";
  fs::create_directories(snapshot);
  fs::create_directory(cache.path() / "blobs");
  for (const char* name : {"one.safetensors", "2", kIndex}) {
    fs::copy_file(sharded.path() / name, cache.path() / "blobs" / name);
    fs::create_symlink(fs::path("../../blobs") / name,
                       snapshot / (name == std::string("2") ? "two.safetensors" : name));
  }
  EXPECT_EQ(SafetensorsFiles(snapshot).ReadReal("c")[0], Real{4});
}

TEST(SafetensorsFiles, DoesNotWaitForAPipe) {
  const Sharded sharded;
  fs::remove(sharded.path() / "two.safetensors");
  ASSERT_EQ(mkfifo((sharded.path() / "two.safetensors").c_str(), 0600), 0);
  EXPECT_EQ(sharded.Error(), "D/two.safetensors: expected a regular file, found a pipe");
}

TEST(SafetensorsFiles, RefusesAnIndexWithoutAMap) {
  const Sharded sharded;
  const std::string start =
      "D/model.safetensors.index.json: expected weight_map to be an object of tensors and files, found ";
  sharded.PutIndex({{"metadata", {{"total_size", 16}}}});
  EXPECT_EQ(sharded.Error(), start + "nothing");
  EXPECT_EQ(sharded.ErrorWithMap(json::array({"one.safetensors"})), start + "[\"one.safetensors\"]");
  EXPECT_EQ(sharded.ErrorWithMap(nullptr), start + "nothing");
  EXPECT_EQ(sharded.ErrorWithMap(json::object()), start + "{}");
  EXPECT_EQ(sharded.ErrorWithMap({{"a", 1}}),
            "D/model.safetensors.index.json: expected weight_map.a to be a string, found 1");
  sharded.PutIndex(json::array());
  EXPECT_EQ(sharded.Error(), "D/model.safetensors.index.json: expected a JSON object, found array");
  Put(sharded.path() / kIndex, "{");
  EXPECT_TRUE(sharded.Error().starts_with("D/model.safetensors.index.json: not valid JSON: ")) << sharded.Error();
}

TEST(SafetensorsFiles, TakesTheTotalSizeForAdvice) {
  const Sharded sharded;
  const json map = {{"a", "one.safetensors"}, {"b", "one.safetensors"}, {"c", "two.safetensors"}};
  for (const json& size : std::vector<json>{-1, "16", 16.5, nullptr, 1e300, json::array()}) {
    sharded.PutIndex({{"metadata", {{"total_size", size}}}, {"weight_map", map}});
    EXPECT_EQ(sharded.Error(), "") << size;
  }
  sharded.PutIndex({{"weight_map", map}});
  EXPECT_EQ(sharded.Error(), "");
}

TEST(SafetensorsFiles, PrefersTheSingleFileAndSaysSo) {
  const Sharded sharded;
  sharded.Write("model.safetensors", {{"x", Tensor::Scalar(1)}});
  const SafetensorsFiles weights = sharded.Open();
  EXPECT_EQ(weights.Names(), std::vector<std::string>{"x"});
  EXPECT_EQ(weights.notes(),
            std::vector<std::string>{(sharded.path() / "model.safetensors").string() +
                                     ": this file is read, and model.safetensors.index.json beside it is not"});
}

TEST(SafetensorsFiles, HintsAtFormatsThatAreNotSupported) {
  const TempDir directory;
  const auto error = [&] { return MessageOf(directory.path(), [&] { SafetensorsFiles weights(directory.path()); }); };
  const std::string neither = "D: expected model.safetensors or model.safetensors.index.json, found neither";
  EXPECT_EQ(error(), neither);
  Put(directory.path() / "config.json", "{}");
  EXPECT_EQ(error(), neither);
  Put(directory.path() / "tiny.gguf", "GGUF");
  EXPECT_EQ(error(), neither + "; \"tiny.gguf\" is not supported: save the model as safetensors");
  Put(directory.path() / "pytorch_model.bin", "PK");
  EXPECT_EQ(error(), neither + "; \"pytorch_model.bin\" is not supported: save the model as safetensors");
  fs::rename(directory.path() / "tiny.gguf", directory.path() / "model.safetensors");
  EXPECT_EQ(error(), "D/model.safetensors: too small for a safetensors file: expected at least 8 bytes, found 4");
  Put(directory.path() / "model.safetensors", std::string("GGUF\x03\0\0\0", 8));
  EXPECT_EQ(error(), "D/model.safetensors: expected a safetensors file, found a GGUF file");
}

// A saved model, its tensors spread over two shards in turn.
void Split(const fs::path& directory) {
  std::vector<io::NamedTensor> shards[2];
  json map;
  {
    const SafetensorsFiles weights(directory);
    for (const std::string& name : weights.Names()) {
      const size_t shard = map.size() % 2;
      map[name] = shard == 0 ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
      shards[shard].push_back({name, weights.ReadReal(name)});
    }
  }
  io::WriteSafetensors(directory / "model-00001-of-00002.safetensors", shards[0], {});
  io::WriteSafetensors(directory / "model-00002-of-00002.safetensors", shards[1], {});
  Put(directory / kIndex, json{{"weight_map", map}}.dump());
  fs::remove(directory / "model.safetensors");
}

TEST(ModelDirectory, LoadsShards) {
  const TempDir directory;
  const auto model = TinyGpt(3);
  SaveModel(directory.path(), *model, Tokenizer::Bytes());
  Split(directory.path());
  const auto loaded = LoadModel(directory.path());
  const std::vector<int> ids = RandomIds(12, 23, 1);
  EXPECT_TRUE(SameBits(LogitsOf(*loaded, ids, 12), LogitsOf(*model, ids, 12)) || sizeof(Real) > sizeof(float));
}

TEST(ModelDirectory, SaysThatASingleFileIsPreferred) {
  const TempDir directory;
  SaveModel(directory.path(), *TinyGpt(3), Tokenizer::Bytes());
  Put(directory.path() / kIndex, "not read");
  ::testing::internal::CaptureStderr();
  LoadModel(directory.path());
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "ampgrad: note: " + (directory.path() / "model.safetensors").string() +
                ": this file is read, and model.safetensors.index.json beside it is not\n");
}

TEST(ModelDirectory, RefusesShardsOfDifferentModels) {
  const TempDir directory;
  SaveModel(directory.path(), *TinyGpt(3), Tokenizer::Bytes());
  Split(directory.path());
  const std::string second = "model-00002-of-00002.safetensors";
  std::vector<io::NamedTensor> tensors;
  {
    const io::SafetensorsReader reader(directory.path() / second);
    for (const io::TensorEntry& entry : reader.header().entries) tensors.push_back({entry.name, Tensor({7, 7})});
  }
  io::WriteSafetensors(directory.path() / second, tensors, {});
  const std::string error = MessageOf(directory.path(), [&] { LoadModel(directory.path()); });
  EXPECT_TRUE(error.starts_with("D/" + second + ": expected ")) << error;
  EXPECT_TRUE(error.ends_with(", found [7, 7]")) << error;
}

TEST(ModelDirectory, ComparesShapesBeforeReadingNumbers) {
  const TempDir directory;
  SaveModel(directory.path(), *TinyGpt(3), Tokenizer::Bytes());
  const fs::path file = directory.path() / "model.safetensors";
  // A terabyte in the header and in a file with a hole, which takes no disk space.
  Put(file, FileBytes("{" + Entry("wte.weight", "F32", "274877906944", "0,1099511627776") + "}"));
  fs::resize_file(file, fs::file_size(file) + (uint64_t{1} << 40));
  EXPECT_EQ(MessageOf(directory.path(), [&] { LoadModel(directory.path()); }),
            "D/model.safetensors: expected wte.weight of shape [23, 16], found [274877906944]");
}

}  // namespace
}  // namespace ampgrad::models
