#pragma once

#include <vector>

#include "models/language_model.h"
#include "train/commands/options.h"
#include "train/method.h"

/// What trains, and how: the options of fine-tuning methods.
namespace ampgrad::train {

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

/// Throws std::runtime_error when K exceeds the model's width.
void CheckK(Index k, const models::LanguageModel& model);

}  // namespace ampgrad::train
