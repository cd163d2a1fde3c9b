#include "models/synth.h"

#include <cstdio>

#include "models/gguf_model_writer.h"
#include "models/synth_gguf.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "train/commands/commands.h"
#include "train/interrupt.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

int SynthMain(const Options& options) {
  const models::SynthModel model = models::SynthPreset(options.Choice("preset", models::SynthPresets()));
  const uint64_t seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  io::StagedDirectory out(options.String("out"));
  const DeferSignals until_saved;
  const Phase phase("making up weights");
  if (options.Has("type")) {
    const io::GgmlType type = models::ParseQuantisedType(options.Choice("type", models::QuantisedTypes()));
    models::WriteSynthGguf(model, seed, type, out.path() / "model.gguf");
  } else {
    models::WriteSynthModel(model, seed, out.path());
  }
  out.Commit();
  std::printf("%s: %zu tensors of made-up weights, %lld parameters in %s\n",
              io::Printable(options.String("out")).c_str(), model.tensors.size(),
              static_cast<long long>(model.CountParameters()), options.Has("type") ? "GGUF" : "BF16");
  return 0;
}

}  // namespace

Command SynthCommand() {
  return {"synth",
          "Writes a model of a real shape with made-up weights, for measurements and tests.",
          {{"preset", "NAME", "tinyllama",
            "shape: tinyllama (1.1 billion parameters), llama-7b (6.7 billion), gpt2 (124 million) or tiny"},
           {"type", "NAME", "",
            "write model.gguf of this type: f32, f16, bf16, q8_0 or q4_0; default: a directory in BF16"},
           {"out", "DIR", nullptr, "directory to write, which must be empty or not there"},
           {"seed", "N", "1", "seed of the weights"}},
          SynthMain};
}

}  // namespace ampgrad::train
