#pragma once

#include <filesystem>
#include <vector>

#include "models/generate.h"
#include "models/tokenizer/tokenizer.h"
#include "train/commands/options/options.h"

/// How a model goes on with a text: the options of commands that generate.
namespace ampgrad::train {

/// --tokens, --temperature, --top-k, --top-p, --seed and --raw.
std::vector<OptionSpec> GenerationOptionSpecs(const char* tokens);

/// What they say, without --raw.
models::GenerateOptions ReadGeneration(const Options& options);

/// Adds what the model of `directory` stops at and may choose.
void AddVocabulary(const std::filesystem::path& directory, const models::LanguageModel& model,
                   const models::Tokenizer& tokenizer, models::GenerateOptions& generate);

/// Prints text of a model: control characters as \xNN, which a terminal might take for commands, unless --raw is given.
void PrintGenerated(const Options& options, const std::string& text);

}  // namespace ampgrad::train
