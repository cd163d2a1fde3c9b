#include "train/commands/method_options.h"

#include <stdexcept>

namespace ampgrad::train {
namespace {

constexpr Index kMany = 1'000'000'000;

}  // namespace

std::vector<OptionSpec> BasisOptionSpecs() {
  return {
      {"rows", "POLICY", "blocks",
       "rows that are decomposed: blocks, all (with the vocabulary), or width (the same, but nothing transposed)"},
      {"sample", "N", "0", "rows of each matrix that the basis is computed from; 0: all"},
      {"chain", "NAME", "factored",
       "gradient of the scores: explicit (dS = dW·Bᵀ) or factored (dS = dYᵀ·(X·Bᵀ)), faster"},
  };
}

MethodSettings ReadMethod(const Options& options) {
  return {.method = options.Choice("method", MethodNames()),
          .k = options.Integer("k", 1, kMany),
          .start = ct::ParseStart(options.Choice("start", {"exact", "reconstructed"})),
          .chain = ReadChain(options),
          .rows = ReadRowsPolicy(options)};
}

ct::RowsPolicy ReadRowsPolicy(const Options& options) {
  return ct::ParseRowsPolicy(options.Choice("rows", {"blocks", "width", "all"}));
}

ct::Chain ReadChain(const Options& options) {
  return ct::ParseChain(options.Choice("chain", {"explicit", "factored"}));
}

ct::RowSample ReadRowSample(const Options& options) {
  return {options.Integer("sample", 0, kMany), static_cast<uint64_t>(options.Integer("seed", 0, kMany))};
}

std::vector<OptionSpec> ScopeOptionSpecs() {
  return {
      {"layers", "WHICH", "all", "layers that train: all, last:N, A-B or A; of a choice, the matrices alone"},
      {"train", "WHAT", "", "head: the vocabulary matrix that makes the logits trains too"},
      {"checkpoint", nullptr, "",
       "keep of each block its input alone and run it again on the way back: less memory, more time"},
  };
}

Scope ReadScope(const Options& options, const models::LanguageModel& model) {
  Scope scope;
  try {
    scope = ParseLayers(options.String("layers"), model.layers());
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  scope.head = options.Has("train") && options.Choice("train", {"head"}) == "head";
  return scope;
}

void CheckK(Index k, const models::LanguageModel& model) {
  if (k <= model.width()) return;
  throw std::runtime_error("expected K of at most " + std::to_string(model.width()) + ", the model's width, found " +
                           std::to_string(k));
}

}  // namespace ampgrad::train
