#include "train/demo/demo.h"

#include "models/gpt.h"
#include "train/commands/commands.h"

namespace ampgrad::train {
namespace {

int DemoMain(const Options& options) {
  DemoOptions demo;
  demo.seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  demo.preset = options.Choice("preset", {"photonic", "nano"});
  demo.pretrain_steps = options.Integer("pretrain-steps", 1, 1'000'000);
  demo.sweep.ks = options.Integers("k", 1, models::PresetConfig(demo.preset).n_embd);
  demo.sweep.train.steps = options.Integer("steps", 1, 1'000'000);
  demo.sweep.train.warmup = demo.sweep.train.steps / 20;
  demo.sweep.search_steps = 12;
  demo.sweep.train.adamw.weight_decay = 0;
  RunDemo(demo);
  return 0;
}

}  // namespace

Command DemoCommand() {
  return {"demo",
          "The whole method on a built-in world: pretrain, compute the basis, fine-tune by every method.",
          {{"preset", "NAME", "photonic", "model shape: photonic or nano"},
           {"pretrain-steps", "N", "500", "steps of pretraining"},
           {"steps", "N", "40", "steps of each fine-tuning run"},
           {"k", "K,K,…", "4,8,16,32,64", "scores a row"},
           {"seed", "N", "1", "seed of everything random"}},
          DemoMain};
}

}  // namespace ampgrad::train
