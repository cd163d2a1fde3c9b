#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ct/adapter/peft_reader.h"
#include "models/language_model.h"
#include "models/model_directory.h"
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

}  // namespace ampgrad::ct
