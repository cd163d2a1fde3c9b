#include "train/commands/training_options.h"

#include <stdexcept>

#include "models/model_directory.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

constexpr Index kMany = 1'000'000'000;

}  // namespace

std::unique_ptr<models::LanguageModel> ReadModel(const std::filesystem::path& directory) {
  return During("reading the model", [&] { return models::LoadModel(directory); });
}

std::vector<OptionSpec> TrainingOptionSpecs(const char* steps, const char* batch, const char* weight_decay) {
  return {
      {"steps", "N", steps, "optimiser steps"},
      {"batch", "N", batch, "sequences a step"},
      {"length", "N", "", "tokens a sequence at most; default: the model's context"},
      {"warmup", "N", "", "steps of rising learning rate; default: a twentieth of --steps"},
      {"weight-decay", "X", weight_decay, "decoupled weight decay of AdamW"},
      {"clip", "X", "1", "largest gradient norm; 0: no clipping"},
      {"seed", "N", "1", "seed of everything random"},
      {"eval-tokens", "N", "65536", "tokens of held-out data that a loss is taken of at most, the same for all"},
      {"log", "FILE", "", "write every step as a line of JSON"},
  };
}

TrainOptions ReadTrainOptions(const Options& options) {
  TrainOptions train;
  train.steps = options.Integer("steps", 1, kMany);
  train.warmup = options.Has("warmup") ? options.Integer("warmup", 0, kMany) : train.steps / 20;
  train.clip = options.Number("clip", 0, 1e30);
  train.adamw.weight_decay = options.Number("weight-decay", 0, 1);
  return train;
}

void LimitEvaluation(const Options& options, Data& data) {
  LimitEvaluation(data, options.Integer("eval-tokens", 1, kMany));
}

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

std::vector<OptionSpec> Join(std::initializer_list<std::vector<OptionSpec>> lists) {
  std::vector<OptionSpec> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

const char* const kDataHelp =
    "JSON lines, or a JSON array, of messages, conversations, instruction/input/output, prompt/completion or "
    "question/answer";

OptionSpec TemplateOptionSpec() {
  return {"template", "NAME", "",
          "zephyr, chatml, llama2, llama3, alpaca or plain; default: the model's own for messages, alpaca for "
          "instructions, else "
          "plain"};
}

std::string ReadTemplate(const Options& options) {
  return options.Has("template")
             ? options.Choice("template", {"zephyr", "chatml", "llama2", "llama3", "alpaca", "plain"})
             : "";
}

Index ReadLength(const Options& options, const models::LanguageModel& model) {
  if (model.context() < 2) {
    throw std::runtime_error("expected a model with a context of at least 2 tokens, as training takes, found " +
                             std::to_string(model.context()));
  }
  return options.Has("length") ? options.Integer("length", 1, model.context()) : model.context();
}

void CheckK(Index k, const models::LanguageModel& model) {
  if (k <= model.width()) return;
  throw std::runtime_error("expected K of at most " + std::to_string(model.width()) + ", the model's width, found " +
                           std::to_string(k));
}

}  // namespace ampgrad::train
