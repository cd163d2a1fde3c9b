#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ct/adapter/peft_reader.h"
#include "models/language_model.h"
#include "models/model_directory.h"
#include "nn/forms/dense.h"
#include "nn/forms/dora.h"
#include "tests/support/golden.h"

/// The adapters in tests/golden/peft, which PEFT itself saved.
namespace ampgrad::ct {

/// The directories of all that must be read.
inline std::vector<std::filesystem::path> PeftCases() {
  std::vector<std::filesystem::path> cases;
  for (const auto& entry : std::filesystem::directory_iterator(Golden("peft"))) {
    if (entry.path().filename() != "faulty") cases.push_back(entry.path());
  }
  return cases;
}

/// The model under an adapter, which is named after it: gpt2-tiny under gpt2-lora.
inline std::unique_ptr<models::LanguageModel> BaseOf(const std::filesystem::path& adapter) {
  const std::string name = adapter.filename();
  return models::LoadModel(Golden(name.substr(0, name.find('-')) + "-tiny"));
}

inline LowRankAdapter Read(const std::filesystem::path& directory, models::LanguageModel& model) {
  return ReadPeftAdapter(directory, model.Parts(), model.CheckpointPrefix());
}

inline nn::Matrix& MatrixNamed(models::LanguageModel& model, const std::string& name) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    if (matrix->name == name) return *matrix;
  }
  throw std::runtime_error("no matrix " + name);
}

/// Gives the model's matrices the forms that an adapter describes.
inline void Apply(models::LanguageModel& model, const LowRankAdapter& adapter, nn::Chain chain) {
  for (const MatrixUpdate& update : adapter.updates) {
    nn::Matrix& matrix = MatrixNamed(model, update.matrix);
    nn::FrozenBase base{matrix.name, matrix.form->Merged(), matrix.layout};
    const nn::Factors factors{update.a, update.b, static_cast<Real>(update.scale)};
    if (update.magnitude.empty()) {
      matrix.form = std::make_unique<nn::LowRank>(std::move(base), factors, nn::TrainedFactors::kBoth, chain);
    } else {
      matrix.form = std::make_unique<nn::Dora>(std::move(base), factors, update.magnitude, chain);
    }
  }
  for (const WholeTensor& tensor : adapter.whole) {
    for (nn::Matrix* matrix : model.Parts().matrices) {
      if (matrix->name == tensor.name) {
        matrix->form = std::make_unique<nn::Dense>(matrix->name, tensor.value, matrix->layout);
      }
    }
    for (Param* vector : model.Parts().vectors) {
      if (vector->name == tensor.name) vector->value = tensor.value;
    }
  }
}

}  // namespace ampgrad::ct
