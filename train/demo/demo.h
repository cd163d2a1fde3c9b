#pragma once

#include <cstdint>
#include <string>

#include "train/demo/sweep.h"

namespace ampgrad::train {

struct DemoOptions {
  std::string preset = "photonic";  // the shape of the model (models::PresetConfig)
  Index pretrain_steps = 500;
  SweepOptions sweep;
  uint64_t seed = 1;
};

/// The whole method on a built-in world: trains a model on its stories, shows a sample of its text, then fine-tunes
/// copies of it on questions about the same world by every method. Prints what it finds as it goes.
void RunDemo(const DemoOptions& options);

}  // namespace ampgrad::train
