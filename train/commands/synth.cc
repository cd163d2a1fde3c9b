#include "models/synth.h"

#include <cstdio>

#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "train/commands/commands.h"
#include "train/interrupt.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

int Run(const Options& options) {
  const models::SynthModel model = models::SynthPreset(options.Choice("preset", models::SynthPresets()));
  const uint64_t seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  io::StagedDirectory out(options.String("out"));
  const DeferSignals until_saved;
  const Phase phase("making up weights");
  models::WriteSynthModel(model, seed, out.path());
  out.Commit();
  std::printf("%s: %zu tensors of made-up weights, %lld parameters in BF16\n",
              io::Printable(options.String("out")).c_str(), model.tensors.size(),
              static_cast<long long>(model.CountParameters()));
  return 0;
}

}  // namespace

Command SynthCommand() {
  return {"synth",
          "Writes a model of a real shape with made-up weights, for measurements and tests.",
          {{"preset", "NAME", "tinyllama", "shape: tinyllama (1.1 billion parameters), gpt2 (124 million) or tiny"},
           {"out", "DIR", nullptr, "directory to write, which must be empty or not there"},
           {"seed", "N", "1", "seed of the weights"}},
          Run};
}

}  // namespace ampgrad::train
