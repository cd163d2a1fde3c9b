// A training step of the photonic model: forward, loss, backward, AdamW; full, amplitude-only and low-rank. Run one
// configuration per process (--benchmark_filter) where peak memory matters.
#include "bench/measure.h"
#include "models/gpt.h"
#include "tensor/random.h"
#include "train/methods/method.h"
#include "train/trainer.h"

namespace ampgrad::bench {
namespace {

using train::Batch;
using train::MethodSettings;

constexpr int kWarmupSteps = 4;

// The sizes of a step. The model is always the photonic one, with this vocabulary.
struct Setting {
  Index vocabulary, batch, length;
};

models::GptConfig Config(const Setting& setting) {
  models::GptConfig config = models::PresetConfig("photonic");
  config.vocab_size = setting.vocabulary;
  return config;
}

// Random sequences; the targets are the next tokens.
Batch RandomBatch(const Setting& setting, uint64_t stream) {
  Batch result{setting.length, {}, {}};
  const Random random(1, stream);
  for (Index sequence = 0; sequence < setting.batch; ++sequence) {
    const Index first = sequence * (setting.length + 1);
    for (Index t = 0; t < setting.length; ++t) {
      result.inputs.push_back(static_cast<int>(random.Below(first + t, setting.vocabulary)));
      result.targets.push_back(static_cast<int>(random.Below(first + t + 1, setting.vocabulary)));
    }
  }
  return result;
}

// Operations of the products that one block matrix takes part in, forward and backward, for N tokens.
double MatrixFlops(const MethodSettings& method, double tokens, double in, double out, double width) {
  const double product = 2 * tokens * in * out;
  if (method.method == "full") return 3 * product;  // y, dx, dW
  const double rank = 2 * tokens * static_cast<double>(method.rank);
  if (method.method == "lora") return 2 * product + 3 * rank * (in + out);  // y, dx; P = x·Aᵀ, P·Bᵀ, dP, dB, dA, dx
  const double n = in * out / width, k = static_cast<double>(method.k);     // the matrix is n rows
  const double rebuild = 2 * n * k * width;
  if (method.chain == nn::Chain::kExplicit) return 3 * product + 2 * rebuild;  // … and W, dS
  const double narrow = 2 * tokens * k;                                        // a product with K numbers per token
  if (method.start == ct::Start::kExact) return 2 * product + rebuild + narrow * (n + width);  // y, dx, W, P = x·Bᵀ, dS
  return narrow * (3 * n + 2 * width);  // two products forward; B needs no gradient
}

// Operations of a step. Attention takes 6·T·C per layer and token: two products forward and four backward, of T·C each,
// because half of each is behind the causal mask. What an implementation computes twice does not count.
double FlopsOfStep(models::LanguageModel& model, const MethodSettings& method, const Batch& batch, Index layers) {
  const auto tokens = static_cast<double>(batch.tokens()), width = static_cast<double>(model.width());
  double flops = tokens * static_cast<double>(6 * layers * batch.length) * width;
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    const auto in = static_cast<double>(matrix->in), out = static_cast<double>(matrix->out);
    if (matrix->kind == nn::MatrixKind::kBlock) flops += MatrixFlops(method, tokens, in, out, width);
    if (matrix->kind == nn::MatrixKind::kVocabulary)
      flops += (method.method == "full" ? 6 : 4) * tokens * in * out;  // frozen: no dW
  }
  return flops;
}

void Backward(models::LanguageModel& model, const Batch& batch) {
  Tape tape;
  tape.Backward(train::BatchLoss(model, tape, batch));
}

// The naive twin of a step: along its own gradient g the loss must rise by |g| per unit, which two more evaluations
// show. They are 0.002 nats of loss apart, where float still gives three digits and the curvature does not show.
bool GradientMatchesLoss(models::LanguageModel& model, const Batch& batch) {
  train::AdamW params(models::TrainableParameters(model), {});
  Backward(model, batch);
  const double norm = params.GradNorm();
  const double reach = 0.001 / (norm * norm);  // the step along g, in both directions
  const auto loss_at = [&](double factor) {
    for (const train::AdamW::Slot& slot : params.slots()) {
      Param& param = *slot.param;
      for (Index i = 0; i < param.value.size(); ++i) param.value[i] += static_cast<Real>(factor * param.grad[i]);
    }
    return train::Evaluate(model, {batch});
  };
  const double above = loss_at(reach), below = loss_at(-2 * reach);
  loss_at(reach);  // back to the start, except for rounding
  params.ZeroGrad();
  return std::abs((above - below) / 0.002 - 1) < 0.01;
}

void RunStep(benchmark::State& state, const Setting& setting, const MethodSettings& method) {
  SetNumThreads(static_cast<int>(state.range(0)));
  const models::GptConfig config = Config(setting);
  models::Gpt model(config);
  model.Initialise(1);
  if (method.method != "full") train::Prepare(model, method, train::MakeBases(model, method, {}, {}));
  std::vector<Batch> batches;
  for (int i = 0; i < 4; ++i) batches.push_back(RandomBatch(setting, i));
  if (!GradientMatchesLoss(model, batches[0])) {
    return state.SkipWithError("the loss does not rise along its gradient as fast as the gradient says");
  }
  train::AdamW optimizer(models::TrainableParameters(model), {.weight_decay = method.method == "full" ? 0.1 : 0});
  int steps = 0;
  const auto step = [&] {
    optimizer.ZeroGrad();
    Backward(model, batches[steps++ % batches.size()]);
    optimizer.Step(method.method == "full" ? 3e-4 : 1e-3);
  };
  for (int i = 0; i < kWarmupSteps; ++i) step();
  const double seconds = Measure(state, {.flops = FlopsOfStep(model, method, batches[0], config.n_layer)}, step);
  state.counters["tokens/s"] = static_cast<double>(batches[0].tokens()) / seconds;
  state.counters["peak_MiB"] = PeakMemoryMib();
}

void Register(const std::string& name, const Setting& setting, const MethodSettings& method, int threads) {
  const std::string sizes = "/V:" + std::to_string(setting.vocabulary) + "/B:" + std::to_string(setting.batch) +
                            "/T:" + std::to_string(setting.length);
  benchmark::RegisterBenchmark((name + sizes).c_str(), RunStep, setting, method)
      ->ArgName("threads")
      ->Arg(threads)
      ->Iterations(setting.length <= 128 ? 20 : 10)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

void RegisterAll() {
  for (const Setting& setting : {Setting{256, 8, 128}, {256, 4, 512}, {16384, 8, 128}, {16384, 4, 512}}) {
    for (const int threads : {1, 2}) Register("step", setting, {}, threads);
  }
  for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
    for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
      for (const Index k : {8, 64}) {
        const std::string form = std::string(ToString(chain)) + "/" + ToString(start) + "/K:" + std::to_string(k);
        Register("amplitude/" + form, {256, 8, 128}, {.method = "amplitude", .k = k, .start = start, .chain = chain},
                 2);
      }
    }
  }
  Register("lora/r:8", {256, 8, 128}, {.method = "lora", .chain = nn::Chain::kFactored, .rank = 8, .alpha = 16}, 2);
}

}  // namespace
}  // namespace ampgrad::bench

int main(int argc, char** argv) {
  ampgrad::bench::RegisterAll();
  return ampgrad::bench::RunBenchmarks(argc, argv);
}
