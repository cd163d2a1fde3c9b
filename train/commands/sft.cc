#include <cstdio>
#include <memory>

#include "ct/amplitude_file.h"
#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "train/commands/commands.h"
#include "train/commands/data_options.h"
#include "train/commands/method_options.h"
#include "train/commands/training_options.h"
#include "train/data/chat_data.h"
#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/run.h"

namespace ampgrad::train {
namespace {

int Run(const Options& options) {
  MethodSettings method = ReadMethod(options);
  TrainOptions train = ReadTrainOptions(options);
  train.lr = options.Has("lr") ? options.Number("lr", 0, 1e30) : method.NeedsBasis() ? 1e-2 : 3e-4;
  const Index batch = options.Integer("batch", 1, 1 << 20);
  const uint64_t seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));

  const std::filesystem::path directory = options.String("model");
  const std::unique_ptr<models::LanguageModel> model = ReadModel(directory);
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  models::KeptFiles kept(directory);
  ChatData samples =
      During("reading the data", [&] { return ReadChatData(ReadChatSource(options, *model, seed), tokenizer); });
  kept.Teach({samples.chat.end}, options.Has("template") ? models::JinjaText(samples.chat.format) : "");
  LimitEvaluation(options, samples.data);
  CheckK(method.k, *model);
  method.scope = ReadScope(options, *model);
  io::StagedDirectory out(options.String("out"));
  RunLog log(options.String("log"));

  std::printf("%s\n", Describe(samples).c_str());
  std::shared_ptr<const ct::Basis> basis;
  if (method.NeedsBasis()) {
    const Phase phase("universal basis");
    const auto sources = ct::SelectRows(model->Parts().matrices, model->width(), method.rows);
    basis = std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, method.k, ReadRowSample(options)));
    std::printf("%s\n", Describe(*basis, sources).c_str());
  }
  const bool lossy = method.StartIsLossy();  // every other start is the given model itself
  const double given_loss = lossy ? Evaluate(*model, samples.data.held_out) : 0;
  RequireMemoryToPrepare(*model, method, AvailableMemory());
  Prepare(*model, method, basis);
  model->checkpoint_blocks = options.Has("checkpoint");
  std::printf("%s: %lld parameters are trained\n", method.Label().c_str(),
              static_cast<long long>(models::CountParameters(models::TrainableParameters(*model))));
  const MemoryPlan plan = PlanMemory(*model, basis.get());
  std::printf("memory: %s\n", ToString(plan, batch * samples.longest).c_str());
  RequireMemory(plan, batch, samples.longest, AvailableMemory());
  const double start_loss = Evaluate(*model, samples.data.held_out), base_loss = lossy ? given_loss : start_loss;
  Tensor::ResetPeakBytes();
  const DeferSignals until_saved;
  const double seconds = RunTraining(*model, samples.data, train, method.Label(), log);
  const Index peak = Tensor::PeakBytes();
  const double end_loss = Evaluate(*model, samples.data.held_out);
  out.Fill([&](const std::filesystem::path& to) {
    const Phase phase("saving");
    models::SaveModel(to, *model, tokenizer, kept);
    if (!basis) return;
    ct::WriteAmplitudes(to / "amplitudes.safetensors", *basis, method.start, models::TrainableParameters(*model));
  });
  std::printf("held-out loss: base %.4f, start %.4f, end %.4f; %.4f s/step, peak %s of tensors; wrote %s\n", base_loss,
              start_loss, end_loss, seconds, Megabytes(peak).c_str(), io::Printable(options.String("out")).c_str());
  return 0;
}

}  // namespace

Command SftCommand() {
  return {"sft", "Fine-tune a model on conversations: all of it, or its scores alone.",
          Join({{{"model", "DIR", nullptr, "model directory"},
                 {"data", "FILE", nullptr, kDataHelp},
                 TemplateOptionSpec(),
                 {"out", "DIR", nullptr, "directory to write: new, or empty"},
                 {"method", "NAME", "amplitude", "full or amplitude"},
                 {"k", "K", "8", "scores a row, for amplitude"},
                 {"start", "NAME", "exact", "reconstructed (W = S·B + μ) or exact (W = W₀ + ΔS·B)"},
                 {"lr", "X", "", "peak learning rate; default: 1e-2 for amplitude, 3e-4 for full"}},
                BasisOptionSpecs(),
                ScopeOptionSpecs(),
                SampleOptionSpecs(),
                TrainingOptionSpecs("100", "8", "0")}),
          Run};
}

}  // namespace ampgrad::train
