#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ct/adapter/base_weights.h"
#include "models/language_model.h"
#include "train/commands/options/options.h"

/// The model that a command works on, and the adapter over it.
namespace ampgrad::train {

/// models::LoadModel, shown as it goes.
std::unique_ptr<models::LanguageModel> ReadModel(const std::filesystem::path& model);

/// Whether a directory is an adapter, of ours or of PEFT, and no model.
bool IsAdapter(const std::filesystem::path& directory);
/// The base that an adapter records. Throws std::runtime_error when it is not there.
std::filesystem::path RecordedBase(const std::filesystem::path& adapter);

/// --model, --adapter and --tokenizer.
std::vector<OptionSpec> ModelOptionSpecs();

/// What becomes of an adapter's forms.
enum class AdapterUse {
  kTrain,          // they stay as they are, and what trained in them trains
  kTrainExplicit,  // the same, by the explicit chain
  kApply,          // nothing trains: ct::FreezeForms
};

/// A model as --model and --adapter name it.
struct GivenModel {
  std::filesystem::path base;       // of the model, a directory or a GGUF file: configuration, weights, tokenizer
  std::filesystem::path adapter;    // directory of the adapter; empty for none
  std::filesystem::path tokenizer;  // directory of the texts that hold in place of the model's; empty for none
  std::unique_ptr<models::LanguageModel> model;
  std::optional<ct::BaseWeights> weights;  // of the base, before the adapter
  std::string method;                      // that the adapter was trained by, "lora" for PEFT's; "" for none

  /// Whose tokenizer and chat template hold: those asked for, else the adapter's, if it was taught another template.
  std::filesystem::path Texts() const;
};

/// Reads the model, shown as it goes. --model may also name an adapter, of ours or of PEFT, whose base is then the one
/// that it records. Throws std::runtime_error when that base is not there or has other weights.
GivenModel ReadGivenModel(const Options& options, AdapterUse use);
/// The same by their names; the adapter's is empty for none.
GivenModel ReadGivenModel(const std::filesystem::path& model, const std::filesystem::path& adapter, AdapterUse use);

}  // namespace ampgrad::train
