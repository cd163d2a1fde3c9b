// A training step of the photonic model: forward, loss, backward, AdamW; full and amplitude-only.
#include <benchmark/benchmark.h>

#include "models/gpt.h"
#include "tensor/random.h"
#include "tensor/simd_target.h"
#include "tensor/thread_pool.h"
#include "train/experiment.h"

namespace ampgrad::train {
namespace {

Batch RandomBatch(Index batch, Index length, Index vocabulary) {
  Batch result{length, {}, {}};
  const Random random(1, 1);
  for (Index n = 0; n < batch * length; ++n) {
    result.inputs.push_back(static_cast<int>(random.Below(2 * n, vocabulary)));
    result.targets.push_back(static_cast<int>(random.Below(2 * n + 1, vocabulary)));
  }
  return result;
}

// Floating-point operations of forward and backward: 6 for each weight of a product and token; for attention 6·T·C a layer
// and token (two products forward, four backward, half of each behind the mask).
double FlopsOfStep(models::LanguageModel& model, Index layers, const Batch& batch) {
  double weights = 0;
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    if (matrix->role != nn::Role::kPosition) weights += static_cast<double>(matrix->in * matrix->out);
  }
  const double attention = static_cast<double>(6 * layers * batch.length * model.width());
  return (6 * weights + attention) * static_cast<double>(batch.tokens());
}

// Arguments: K (0: full), 1 for start exact, batch, length.
void RunStep(benchmark::State& state) {
  const models::GptConfig config = models::PresetConfig("photonic");
  models::Gpt model(config);
  model.Initialise(1);
  const Method method{state.range(0) > 0, state.range(1) ? ct::Start::kExact : ct::Start::kReconstructed,
                      state.range(0)};
  if (method.amplitude) {
    const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
    Prepare(model, method, std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, method.k)),
            ct::RowsPolicy::kBlocks);
  }
  const Batch batch = RandomBatch(state.range(2), state.range(3), config.vocab_size);
  AdamW optimizer(models::TrainableParams(model), {});
  for (auto _ : state) {
    optimizer.ZeroGrad();
    Tape tape;
    tape.Backward(BatchLoss(model, tape, batch));
    optimizer.Step(1e-4);
  }
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(batch.tokens()), benchmark::Counter::kIsIterationInvariantRate);
  if (!method.amplitude) {
    state.counters["GFLOP/s"] = benchmark::Counter(1e-9 * FlopsOfStep(model, config.n_layer, batch),
                                                   benchmark::Counter::kIsIterationInvariantRate);
  }
}

BENCHMARK(RunStep)
    ->Name("step")
    ->ArgNames({"K", "exact", "B", "T"})
    ->Args({0, 0, 8, 128})
    ->Args({0, 0, 4, 512})
    ->Args({8, 0, 8, 128})
    ->Args({8, 1, 8, 128})
    ->Args({64, 1, 8, 128})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ampgrad::train

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("simd_target", ampgrad::SimdTarget());
  benchmark::AddCustomContext("threads", std::to_string(ampgrad::NumThreads()));
  benchmark::RunSpecifiedBenchmarks();
}
