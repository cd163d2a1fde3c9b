#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/files/weight_files.h"
#include "tensor/io/safetensors_reader.h"

namespace ampgrad::models {

/// Throws the std::runtime_error for a directory that holds a PEFT adapter in place of a model.
[[noreturn]] void FailForAdapter(const std::filesystem::path& directory);

/// The weights of a model directory: model.safetensors, or the shards that model.safetensors.index.json lists. If both
/// exist, the single file is read, and a note says so. Every error is a std::runtime_error that names the file and,
/// where there is one, the tensor.
class SafetensorsFiles : public WeightFiles {
 public:
  /// Opens all files and checks their layout. An index must map each tensor to a file in this directory that holds the
  /// tensor, and no tensor may be in two files.
  explicit SafetensorsFiles(const std::filesystem::path& directory);

  /// The single file or the index.
  const std::string& file() const override { return file_; }
  const std::vector<std::string>& notes() const override { return notes_; }
  std::vector<std::string> Names() const override;
  bool Has(const std::string& name) const override { return shard_of_.contains(name); }
  const std::string& FileOf(const std::string& name) const override { return Shard(name).file(); }
  Shape ShapeOf(const std::string& name) const override { return Shard(name).ShapeOf(name); }
  Tensor ReadReal(const std::string& name) const override { return Shard(name).ReadReal(name); }
  StoredTensor ReadStored(const std::string& name) const override { return Shard(name).ReadStored(name); }
  /// The bytes of a tensor (`io::SafetensorsReader::ReadBytes`).
  std::string ReadBytes(const std::string& name, const std::string& dtype) const {
    return Shard(name).ReadBytes(name, dtype);
  }

 private:
  void OpenShards(const std::filesystem::path& directory, const std::map<std::string, std::string>& file_of_tensor);
  void RefuseRepeatedNames() const;
  void NoteUnmappedNames();
  const io::SafetensorsReader& Shard(const std::string& name) const;

  std::string file_;
  std::vector<std::string> notes_;
  std::vector<io::SafetensorsReader> shards_;
  std::map<std::string, size_t> shard_of_;  // tensor name to index into the shards
};

}  // namespace ampgrad::models
