#include "train/commands/training_options.h"

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

std::vector<OptionSpec> Join(std::initializer_list<std::vector<OptionSpec>> lists) {
  std::vector<OptionSpec> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace ampgrad::train
