#include "models/files/safetensors_files.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tensor/io/json.h"
#include "tensor/io/own_file.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

constexpr char kSingle[] = "model.safetensors", kIndex[] = "model.safetensors.index.json";
constexpr char kAdapterConfig[] = "adapter_config.json";

[[noreturn]] void FailWithoutWeights(const fs::path& directory) {
  std::string hint;
  std::error_code error;
  if (fs::exists(directory / "adapter_model.safetensors", error) || fs::exists(directory / kAdapterConfig, error)) {
    FailForAdapter(directory);
  }
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const fs::path extension = entry.path().extension();
    const bool pickle = extension == ".bin" || extension == ".pt" || extension == ".pth";
    const std::string shown = io::QuoteName(entry.path().filename().string());
    if (extension == ".safetensors" && hint.empty()) hint = "; " + shown + " has another name than these";
    if (!pickle && extension != ".gguf") continue;
    hint = "; " + shown + " is not supported: save the model as safetensors";
    if (entry.path().filename() == "pytorch_model.bin") break;  // whatever else lies there, this is the model
  }
  throw std::runtime_error(directory.string() + ": expected " + kSingle + " or " + kIndex + ", found neither" + hint);
}

// The name of a shard must not lead out of the directory, nor mean different files to different programs.
const std::string& BareName(const io::JsonValue& value) {
  constexpr size_t kLongest = 255;  // of any file system
  const std::string& name = value.String();
  const bool bare = !name.empty() && name.size() <= kLongest && name != "." && name != ".." &&
                    name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
  if (!bare) value.Fail("the name of a file in this directory");
  return name;
}

std::map<std::string, std::string> ReadWeightMap(const fs::path& index) {
  const nlohmann::json json = io::ReadJsonObject(index);
  const io::JsonValue map = io::JsonValue(json, index.string()).Field("weight_map");
  if (!map.json().is_object() || map.json().empty()) map.Fail("an object of tensors and files");
  std::map<std::string, std::string> file_of_tensor;
  for (const auto& [tensor, value] : map.json().items()) file_of_tensor[tensor] = BareName(map.Field(tensor));
  return file_of_tensor;
}

}  // namespace

void FailForAdapter(const fs::path& directory) {
  throw std::runtime_error((directory / kAdapterConfig).string() +
                           ": a PEFT adapter, not a model; merge it into its base first");
}

SafetensorsFiles::SafetensorsFiles(const fs::path& directory) {
  const fs::path single = io::OwnFile(directory, kSingle), index = io::OwnFile(directory, kIndex);
  if (io::IsThere(single)) {
    file_ = single.string();
    if (io::IsThere(index)) notes_.push_back(file_ + ": this file is read, and " + kIndex + " beside it is not");
    shards_.emplace_back(single);
    for (const io::TensorEntry& entry : shards_[0].header().entries) shard_of_[entry.name] = 0;
    return;
  }
  if (!io::IsThere(index)) FailWithoutWeights(directory);
  file_ = index.string();
  OpenShards(directory, ReadWeightMap(index));
  RefuseRepeatedNames();
  NoteUnmappedNames();
}

void SafetensorsFiles::OpenShards(const fs::path& directory, const std::map<std::string, std::string>& file_of_tensor) {
  std::map<std::string, size_t> shard_of_file;
  std::string missing;
  for (const auto& [tensor, name] : file_of_tensor) shard_of_file[name] = 0;
  for (const auto& [name, unused] : shard_of_file) {
    if (!fs::exists(io::StatusOf(directory / name))) missing += (missing.empty() ? "" : ", ") + io::QuoteName(name);
  }
  if (!missing.empty()) throw std::runtime_error(file_ + ": these files of its weight_map are missing: " + missing);
  for (auto& [name, index] : shard_of_file) {
    index = shards_.size();
    shards_.emplace_back(io::OwnFile(directory, name));
  }
  for (const auto& [tensor, name] : file_of_tensor) {
    shards_[shard_of_file[name]].Entry(tensor);  // throws when it is not there
    shard_of_[tensor] = shard_of_file[name];
  }
}

void SafetensorsFiles::RefuseRepeatedNames() const {
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const io::TensorEntry& entry : shards_[i].header().entries) {
      const auto [first, is_first] = seen.emplace(entry.name, i);
      if (is_first) continue;
      throw std::runtime_error(shards_[i].file() + ": tensor " + io::QuoteName(entry.name) + " is also in " +
                               shards_[first->second].file() + ", expected it in one of them");
    }
  }
}

void SafetensorsFiles::NoteUnmappedNames() {
  for (const io::SafetensorsReader& shard : shards_) {
    size_t count = 0;
    std::string first;
    for (const io::TensorEntry& entry : shard.header().entries) {
      if (!Has(entry.name) && count++ == 0) first = entry.name;
    }
    if (count == 0) continue;
    notes_.push_back(shard.file() + ": " + std::to_string(count) + " of its tensors, such as " + io::QuoteName(first) +
                     ", are not in the index and are not read");
  }
}

std::vector<std::string> SafetensorsFiles::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, shard] : shard_of_) names.push_back(name);
  return names;
}

const io::SafetensorsReader& SafetensorsFiles::Shard(const std::string& name) const {
  const auto found = shard_of_.find(name);
  if (found != shard_of_.end()) return shards_[found->second];
  throw std::runtime_error(file_ + ": expected a tensor " + io::QuoteName(name) + ", found none among its " +
                           std::to_string(shard_of_.size()) + " tensors");
}

}  // namespace ampgrad::models
