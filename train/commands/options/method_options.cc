#include "train/commands/options/method_options.h"

#include <set>
#include <stdexcept>

namespace ampgrad::train {
namespace {

FactorSource ReadFactors(const Options& options) {
  if (!options.Has("factors")) return FactorSource::kDefault;
  const std::vector<std::string> names = FactorNames();
  return ParseFactors(options.Choice("factors", {names.begin() + 1, names.end()}));
}

}  // namespace

std::vector<OptionSpec> MethodOptionSpecs() {
  return {
      {"method", "NAME", "amplitude",
       "full, amplitude, lora, lora-fa, pissa, dora, sparse, core, vera, or norms (norms and biases alone)"},
      {"k", "K", "8", "amplitude: scores a row; 0 with start reconstructed: the mean row alone, which trains nothing"},
      {"start", "NAME", "exact", "amplitude: reconstructed (W = S·B + μ) or exact (W = W₀ + ΔS·B)"},
      {"basis", "KIND", "universal",
       "amplitude: universal, bottom, random, rotated, type, matrix, minor, left or gradient"},
      {"gradient-batches", "N", "8", "amplitude: batches whose gradients make a basis of the kind gradient"},
      {"rank", "R", "8", "rank of the update of lora, lora-fa, pissa, dora, core and vera"},
      {"alpha", "X", "", "the update is scaled by alpha/rank; default: the rank"},
      {"factors", "NAME", "",
       "where the factors come from: gaussian, orthonormal, top, minor (singular vectors) or basis; default: the "
       "method's own"},
      {"dropout", "X", "0", "lora, lora-fa, pissa, dora: share of what the update reads that a step drops"},
      {"share", "X", "0.01", "sparse: share of each matrix that trains"},
  };
}

std::vector<OptionSpec> BasisOptionSpecs() {
  return {
      {"rows", "POLICY", "blocks",
       "rows that are decomposed: blocks, all (with the vocabulary), width (the same, but nothing transposed), or "
       "residual (as blocks, but attention's output projection transposed)"},
      {"sample", "N", "0", "rows of each matrix that the basis is computed from; 0: all"},
      {"chain", "NAME", "factored",
       "gradient of what trains; for scores, explicit (dS = dW·Bᵀ) or factored (dS = dYᵀ·(X·Bᵀ)), faster"},
  };
}

MethodSettings ReadMethod(const Options& options) {
  MethodSettings settings{.method = options.Choice("method", MethodNames()),
                          .k = options.Integer("k", 0, kMany),
                          .start = ct::ParseStart(options.Choice("start", {"exact", "reconstructed"})),
                          .chain = options.Knows("chain") ? ReadChain(options) : nn::Chain::kExplicit,
                          .rows = options.Knows("rows") ? ReadRowsPolicy(options) : ct::RowsPolicy::kBlocks,
                          .basis = ct::ParseBasisKind(options.Choice("basis", ct::BasisKindNames())),
                          .rank = options.Integer("rank", 1, kMany),
                          .alpha = options.Has("alpha") ? options.Number("alpha", 1e-30, 1e30) : 0,
                          .factors = ReadFactors(options),
                          .dropout = options.Number("dropout", 0, 0.99),
                          .share = options.Number("share", 1e-12, 1),
                          .seed = static_cast<uint64_t>(options.Integer("seed", 0, kMany))};
  if (options.Knows("basis-file") && options.Has("basis-file") && settings.basis != ct::BasisKind::kUniversal) {
    throw UsageError("--basis-file is a basis of its own: expected no --basis beside it, found " +
                     ct::ToString(settings.basis));
  }
  if (settings.dropout > 0 && settings.chain == nn::Chain::kExplicit) {
    throw UsageError("--dropout needs --chain factored: W as a whole drops nothing of x");
  }
  if (settings.IsLevel() && settings.start == ct::Start::kExact) {
    throw UsageError("--k 0 with start exact is the given model; expected --start reconstructed");
  }
  if (settings.method == "amplitude" && settings.basis == ct::BasisKind::kLeft &&
      settings.start == ct::Start::kReconstructed) {
    throw UsageError("--basis left has no start reconstructed: its vectors span no rows");
  }
  return settings;
}

void RequireNoOther(const Options& options, const std::string& method) {
  const std::set<std::string> harmless = {"dropout", "chain", "checkpoint"};  // an adapter can go on with them
  for (const OptionSpec& spec : Join({MethodOptionSpecs(), BasisOptionSpecs(), ScopeOptionSpecs()})) {
    const std::string name = spec.name;
    if (harmless.contains(name) || !options.Knows(name)) continue;
    const std::string& value = options.String(name);
    if (value == spec.fallback || (name == "method" && value == method)) continue;
    throw UsageError("the adapter goes on as it was trained, by " + method + ": expected no --" + name +
                     " beside it, found " + value);
  }
}

std::vector<Batch> GradientBatches(const Options& options, const MethodSettings& method, const Data& data) {
  std::vector<Batch> batches;
  if (method.method != "amplitude" || method.basis != ct::BasisKind::kGradient) return batches;
  const Index count = options.Integer("gradient-batches", 1, 1'000'000);
  for (Index i = 0; i < count; ++i) batches.push_back(data.train(i));
  return batches;
}

ct::RowsPolicy ReadRowsPolicy(const Options& options) {
  return ct::ParseRowsPolicy(options.Choice("rows", ct::RowsPolicyNames()));
}

nn::Chain ReadChain(const Options& options) {
  return nn::ParseChain(options.Choice("chain", {"explicit", "factored"}));
}

ct::RowSample ReadRowSample(const Options& options) {
  return {options.Integer("sample", 0, kMany), static_cast<uint64_t>(options.Integer("seed", 0, kMany))};
}

std::vector<OptionSpec> ScopeOptionSpecs() {
  return {
      {"layers", "WHICH", "all", "layers that train: all, last:N, A-B or A; of a choice, the matrices alone"},
      {"targets", "NAMES", "",
       "matrices that train, by the ends of their names, or q, k, v, o, gate, up, down; default: all of the blocks"},
      {"train", "WHAT", "", "head: the vocabulary matrix that makes the logits trains too"},
      {"checkpoint", nullptr, "",
       "keep of each block its input alone and run it again on the way back: less memory, more time"},
  };
}

Scope ReadScope(const Options& options, models::LanguageModel& model) {
  Scope scope;
  try {
    scope = ParseLayers(options.String("layers"), model.layers());
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  if (options.Has("targets")) scope.targets = ParseTargets(options.Strings("targets"), model);
  scope.head = options.Has("train") && options.Choice("train", {"head"}) == "head";
  return scope;
}

void CheckK(Index k, const models::LanguageModel& model) {
  if (k <= model.width()) return;
  throw std::runtime_error("expected K of at most " + std::to_string(model.width()) + ", the model's width, found " +
                           std::to_string(k));
}

}  // namespace ampgrad::train
