#pragma once

#include <filesystem>
#include <map>

#include "models/files/weight_files.h"
#include "models/gguf/gguf_model.h"
#include "tensor/io/gguf/gguf_names.h"

namespace ampgrad::models {

/// The weights of a GGUF file. Matrices stay in the mapped file, blocks as they are, except for queries and keys of a
/// Llama: their rows are in another order than Hugging Face's and are copied.
class GgufFiles : public WeightFiles {
 public:
  /// Throws std::runtime_error as `GgufModel` does, and for a tensor that belongs to no such model.
  explicit GgufFiles(const std::filesystem::path& file);

  const std::string& file() const override { return model_.file(); }
  const std::vector<std::string>& notes() const override { return notes_; }
  std::vector<std::string> Names() const override;
  bool Has(const std::string& name) const override { return stored_name_.contains(name); }
  std::string OwnName(const std::string& name) const override {
    return io::GgufName(model_.architecture(), name).value_or(name);
  }
  const std::string& FileOf(const std::string& name) const override { return Part(name).file(); }
  Shape ShapeOf(const std::string& name) const override;
  Tensor ReadReal(const std::string& name) const override { return ReadStored(name).Widened(); }
  StoredTensor ReadStored(const std::string& name) const override;

 private:
  const std::string& StoredName(const std::string& name) const;
  const io::GgufReader& Part(const std::string& name) const { return *model_.PartWith(StoredName(name)); }
  bool IsTransposed(const std::string& name) const;
  Index PairedHeads(const std::string& name) const;

  GgufModel model_;
  std::vector<std::string> notes_;
  std::map<std::string, std::string> stored_name_;  // by Hugging Face's name
};

}  // namespace ampgrad::models
