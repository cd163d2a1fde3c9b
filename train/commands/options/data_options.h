#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "train/commands/options/options.h"
#include "train/data/chat_data.h"

/// What a model is trained on and judged by: the options of data.
namespace ampgrad::train {

/// What the data of fine-tuning may hold, for the help.
extern const char* const kDataHelp;
/// The chat template that renders it.
OptionSpec TemplateOptionSpec();
/// What is held out, what is learned, and whether samples are packed.
std::vector<OptionSpec> SampleOptionSpecs();
/// The name given with --template, or "".
std::string ReadTemplate(const Options& options);

/// The length of training sequences: --length, by default and at most the model's context.
Index ReadLength(const Options& options, const models::LanguageModel& model);

/// What the options of data say, those of SampleOptionSpecs where the command has them, for the model of `directory`.
/// Throws std::runtime_error as ReadLength does.
ChatSource ReadChatSource(const Options& options, const std::filesystem::path& directory,
                          const models::LanguageModel& model, uint64_t seed);

/// Limits the held-out data to --eval-tokens.
void LimitEvaluation(const Options& options, Data& data);

}  // namespace ampgrad::train
