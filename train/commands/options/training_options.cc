#include "train/commands/options/training_options.h"

#include <nlohmann/json.hpp>
#include <string>

#include "tensor/io/json.h"

namespace ampgrad::train {
namespace {

// --shards or --accumulate, which must leave a sequence for each shard.
Index ReadShards(const Options& options) {
  if (options.Has("shards") && options.Has("accumulate")) {
    throw UsageError("--shards and --accumulate are the same: expected one of them");
  }
  const Index batch = options.Integer("batch", 1, 1 << 20);
  for (const char* name : {"shards", "accumulate"}) {
    if (options.Has(name)) return options.Integer(name, 1, batch);
  }
  return 1;
}

}  // namespace

std::vector<OptionSpec> TrainingOptionSpecs(const char* steps, const char* batch, const char* weight_decay) {
  return {
      {"steps", "N", steps, "optimiser steps"},
      {"batch", "N", batch, "sequences a step"},
      {"shards", "N", "",
       "parts that a step's sequences are cut into, one in memory at a time; default: the ranks of mpirun"},
      {"accumulate", "N", "", "another name for --shards"},
      {"length", "N", "", "tokens a sequence at most; default: the model's context"},
      {"schedule", "NAME", "cosine", "learning rate after the warmup: cosine, linear or constant"},
      {"warmup", "N", "", "steps of rising learning rate; default: a twentieth of --steps"},
      {"lr-min", "X", "", "learning rate at the end of cosine and linear; default: a tenth of the peak"},
      {"optimizer", "NAME", "adamw", "adamw or sgd, which has no moments"},
      {"beta1", "X", "0.9", "decay of AdamW's first moment"},
      {"beta2", "X", "0.999", "decay of AdamW's second moment"},
      {"eps", "X", "1e-8", "AdamW's addend to the root of the second moment"},
      {"weight-decay", "X", weight_decay, "decoupled weight decay"},
      {"clip", "X", "1", "largest gradient norm; 0: no clipping"},
      {"seed", "N", "1", "seed of everything random"},
      {"eval-tokens", "N", "65536", "tokens of held-out data that a loss is taken of at most, the same for all"},
  };
}

OptionSpec LogOptionSpec() {
  return {"log", "FILE", "", "write every step as a line of JSON, or of CSV if the name ends in .csv"};
}

Options WithShards(const Options& options) {
  const int ranks = ProgramRanks().size();
  const bool known = options.Has("shards") || options.Has("accumulate") || options.Has("resume");
  return ranks == 1 || known ? options : options.WithDefault("shards", std::to_string(ranks));
}

void RequireSameOptions(const Options& options) {
  Facts facts;
  const auto settings = nlohmann::ordered_json::parse(options.Settings());
  for (const auto& [name, value] : settings.items()) facts.emplace_back("--" + name, io::JsonText(value));
  RequireSame(ProgramRanks(), facts);
}

TrainOptions ReadTrainOptions(const Options& options) {
  if (options.Given("steps") && options.Given("epochs")) throw UsageError("--steps and --epochs: expected one of them");
  TrainOptions train;
  train.steps = options.Integer("steps", 1, kMany);
  train.warmup = options.Has("warmup") ? options.Integer("warmup", 0, kMany) : train.steps / 20;
  train.shards = ReadShards(options);
  const std::string schedule = options.Choice("schedule", {"cosine", "linear", "constant"});
  train.schedule = schedule == "cosine"   ? Schedule::kCosine
                   : schedule == "linear" ? Schedule::kLinear
                                          : Schedule::kConstant;
  if (options.Has("lr-min")) train.lr_min = options.Number("lr-min", 0, 1e30);
  const bool sgd = options.Choice("optimizer", {"adamw", "sgd"}) == "sgd";
  train.optimizer = sgd ? OptimizerKind::kSgd : OptimizerKind::kAdamW;
  train.adamw = {.beta1 = options.Number("beta1", 0, 1 - 1e-9),
                 .beta2 = options.Number("beta2", 0, 1 - 1e-9),
                 .eps = options.Number("eps", 0, 1),
                 .weight_decay = options.Number("weight-decay", 0, 1)};
  train.seed = static_cast<uint64_t>(options.Integer("seed", 0, kMany));
  train.clip = options.Number("clip", 0, 1e30);
  return train;
}

}  // namespace ampgrad::train
