#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "models/language_model.h"
#include "train/commands/options.h"
#include "train/data/batch.h"
#include "train/method.h"
#include "train/trainer.h"

/// Options that several commands share: their texts, and how they are read.
namespace ampgrad::train {

/// models::LoadModel, shown as it goes.
std::unique_ptr<models::LanguageModel> ReadModel(const std::filesystem::path& directory);

/// Steps, batch, learning-rate schedule, seed and log of a training run.
std::vector<OptionSpec> TrainingOptionSpecs(const char* steps, const char* batch, const char* weight_decay);
/// The run that they describe; lr is left at its default.
TrainOptions ReadTrainOptions(const Options& options);
/// Limits the held-out data to --eval-tokens.
void LimitEvaluation(const Options& options, Data& data);

/// The rows that the universal basis is computed from, and the chain of the scores' gradient.
std::vector<OptionSpec> BasisOptionSpecs();
/// The settings of the method, without its scope.
MethodSettings ReadMethod(const Options& options);
ct::RowsPolicy ReadRowsPolicy(const Options& options);
ct::Chain ReadChain(const Options& options);
ct::RowSample ReadRowSample(const Options& options);

/// Which part of the model trains, and whether its blocks run twice to save memory.
std::vector<OptionSpec> ScopeOptionSpecs();
Scope ReadScope(const Options& options, const models::LanguageModel& model);

/// The lists, one after another.
std::vector<OptionSpec> Join(std::initializer_list<std::vector<OptionSpec>> lists);

/// What the data of fine-tuning may hold, for the help.
extern const char* const kDataHelp;
/// The chat template that renders it.
OptionSpec TemplateOptionSpec();
/// The name given with --template, or "".
std::string ReadTemplate(const Options& options);

/// The length of training sequences: --length, by default and at most the model's context.
Index ReadLength(const Options& options, const models::LanguageModel& model);

/// Throws std::runtime_error when K exceeds the model's width.
void CheckK(Index k, const models::LanguageModel& model);

}  // namespace ampgrad::train
