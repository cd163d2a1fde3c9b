#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/model_directory.h"
#include "tensor/io/safetensors_reader.h"
#include "tensor/io/safetensors_writer.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::models {

/// A model saved in a directory of its own, to be damaged.
class SavedModel {
 public:
  explicit SavedModel(std::unique_ptr<LanguageModel> model) : model_(std::move(model)) {
    SaveModel(path(), *model_, Tokenizer::Bytes());
  }

  std::filesystem::path path() const { return directory_.path(); }
  LanguageModel& model() { return *model_; }

  nlohmann::json Config() const { return nlohmann::json::parse(Get(path() / "config.json")); }
  void ChangeConfig(const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json config = Config();
    change(config);
    Put(path() / "config.json", config.dump());
  }

  /// All tensors of the file, by name.
  std::map<std::string, Tensor> Tensors() const {
    const io::SafetensorsReader reader(path() / "model.safetensors");
    std::map<std::string, Tensor> tensors;
    for (const io::TensorEntry& entry : reader.header().entries) tensors[entry.name] = reader.ReadReal(entry.name);
    return tensors;
  }
  void SetTensors(const std::map<std::string, Tensor>& tensors, StoredType type = StoredType::kF32) {
    std::vector<io::NamedTensor> list;
    for (const auto& [name, value] : tensors) list.push_back({name, value});
    io::WriteSafetensors(path() / "model.safetensors", list, {}, type);
  }
  void ChangeTensors(const std::function<void(std::map<std::string, Tensor>&)>& change) {
    std::map<std::string, Tensor> tensors = Tensors();
    change(tensors);
    SetTensors(tensors);
  }
  /// Appends a tensor of any type to the file.
  void AppendTensor(const std::string& name, const std::string& dtype, const nlohmann::json& shape,
                    const std::string& numbers) {
    const std::string bytes = Get(path() / "model.safetensors");
    uint64_t header_size = 0;
    std::memcpy(&header_size, bytes.data(), 8);
    nlohmann::json header = nlohmann::json::parse(bytes.substr(8, header_size));
    const std::string data = bytes.substr(8 + header_size) + numbers;
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {data.size() - numbers.size(), data.size()}}};
    const std::string text = header.dump();
    const uint64_t length = text.size();
    Put(path() / "model.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + text + data);
  }

  std::unique_ptr<LanguageModel> Load() const { return LoadModel(path()); }
  std::string Error() const {
    return MessageOf(path(), [&] { Load(); });
  }

 private:
  TempDir directory_;
  std::unique_ptr<LanguageModel> model_;
};

inline void ExpectEqualModels(LanguageModel& a, LanguageModel& b) {
  EXPECT_EQ(a.Config(), b.Config());
  const nn::Parts x = a.Parts(), y = b.Parts();
  ASSERT_EQ(x.matrices.size(), y.matrices.size());
  for (size_t i = 0; i < x.matrices.size(); ++i) {
    EXPECT_EQ(x.matrices[i]->name, y.matrices[i]->name);
    EXPECT_TRUE(SameBits(x.matrices[i]->form->Merged().Widened(), y.matrices[i]->form->Merged().Widened()))
        << x.matrices[i]->name;
  }
  ASSERT_EQ(x.vectors.size(), y.vectors.size());
  for (size_t i = 0; i < x.vectors.size(); ++i) {
    EXPECT_EQ(x.vectors[i]->name, y.vectors[i]->name);
    EXPECT_TRUE(SameBits(x.vectors[i]->value, y.vectors[i]->value)) << x.vectors[i]->name;
  }
}

inline std::map<std::string, Tensor> WithoutPrefix(const std::map<std::string, Tensor>& tensors,
                                                   const std::string& prefix) {
  std::map<std::string, Tensor> bare;
  for (const auto& [name, value] : tensors) bare[name.starts_with(prefix) ? name.substr(prefix.size()) : name] = value;
  return bare;
}

}  // namespace ampgrad::models
