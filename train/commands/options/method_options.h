#pragma once

#include <string>
#include <vector>

#include "models/language_model.h"
#include "train/commands/options/options.h"
#include "train/data/batch.h"
#include "train/methods/method.h"

/// What trains, and how: the options of fine-tuning methods.
namespace ampgrad::train {

/// The method and everything that a method is told, but for rows, chain and scope.
std::vector<OptionSpec> MethodOptionSpecs();
/// The settings of the method, without its scope. By default the chain is explicit for a command without --chain.
MethodSettings ReadMethod(const Options& options);
/// Throws UsageError when an option asks for another method than `method`, by which the given adapter was trained.
void RequireNoOther(const Options& options, const std::string& method);
/// The batches whose gradients make a basis; none for a method without such a basis.
std::vector<Batch> GradientBatches(const Options& options, const MethodSettings& method, const Data& data);

/// The rows that the universal basis is computed from, and the chain of the gradient.
std::vector<OptionSpec> BasisOptionSpecs();
ct::RowsPolicy ReadRowsPolicy(const Options& options);
nn::Chain ReadChain(const Options& options);
ct::RowSample ReadRowSample(const Options& options);

/// Which part of the model trains, and whether its blocks run twice to save memory.
std::vector<OptionSpec> ScopeOptionSpecs();
Scope ReadScope(const Options& options, models::LanguageModel& model);

/// Throws std::runtime_error when K exceeds the model's width.
void CheckK(Index k, const models::LanguageModel& model);

}  // namespace ampgrad::train
