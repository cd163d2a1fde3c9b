#pragma once

#include <string>

#include "models/language_model.h"
#include "train/commands/options.h"
#include "train/data/batch.h"

/// What a model is trained on and judged by: the options of data.
namespace ampgrad::train {

/// What the data of fine-tuning may hold, for the help.
extern const char* const kDataHelp;
/// The chat template that renders it.
OptionSpec TemplateOptionSpec();
/// The name given with --template, or "".
std::string ReadTemplate(const Options& options);

/// The length of training sequences: --length, by default and at most the model's context.
Index ReadLength(const Options& options, const models::LanguageModel& model);

/// Limits the held-out data to --eval-tokens.
void LimitEvaluation(const Options& options, Data& data);

}  // namespace ampgrad::train
