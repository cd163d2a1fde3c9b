#include <cstdio>
#include <memory>

#include "ct/amplitude_file.h"
#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "train/commands/commands.h"
#include "train/commands/data_options.h"
#include "train/commands/method_options.h"
#include "train/commands/run_options.h"
#include "train/commands/training_options.h"
#include "train/data/chat_data.h"
#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

int Run(const Options& options) {
  MethodSettings method = ReadMethod(options);
  TrainOptions train = ReadTrainOptions(options);
  train.lr = options.Has("lr") ? options.Number("lr", 0, 1e30) : DefaultRate(method.method);
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
  CutEvaluation(samples.data, train.shards);
  CheckK(method.k, *model);
  method.scope = ReadScope(options, *model);
  SetEpochs(options, samples.data.samples, batch, train);
  RunPlan run = ReadRunPlan(options, *model, tokenizer, samples.data, {samples.chat.end});
  run.label = method.Label();
  const std::unique_ptr<RunDirectory> state = OpenRunDirectory(options, "ampgrad sft");
  if (!state) return 0;
  run.directory = state.get();
  io::StagedDirectory out(options.String("out"));
  RunLog log(options.String("log"), state->resumed());

  std::printf("%s\n", Describe(samples).c_str());
  std::vector<Batch> gradient_batches;
  if (method.basis == ct::BasisKind::kGradient) {
    const Index count = options.Integer("gradient-batches", 1, 1'000'000);
    for (Index i = 0; i < count; ++i) gradient_batches.push_back(samples.data.train(i));
  }
  const Bases bases =
      During("the basis", [&] { return MakeBases(*model, method, ReadRowSample(options), gradient_batches); });
  const std::shared_ptr<const ct::Basis> basis = bases.shared();
  if (basis) {
    std::printf(
        "%s\n",
        Describe(*basis, ct::SelectRows(model->Parts().matrices, model->width(), method.rows), method.basis).c_str());
  }
  const bool lossy = method.StartIsLossy();  // every other start is the given model itself
  const double given_loss = lossy ? Evaluate(*model, samples.data.held_out) : 0;
  RequireMemoryToPrepare(*model, method, AvailableMemory(), train.optimizer);
  Prepare(*model, method, bases);
  model->checkpoint_blocks = options.Has("checkpoint");
  std::printf("%s: %lld parameters are trained\n", method.Label().c_str(),
              static_cast<long long>(models::CountParameters(models::TrainableParameters(*model))));
  const MemoryPlan plan = PlanMemory(*model, basis.get(), train, run.keep_best);
  std::printf("memory: %s\n", ToString(plan, plan.Shard(batch) * samples.longest).c_str());
  RequireMemory(plan, batch, samples.longest, AvailableMemory());
  const double start_loss = Evaluate(*model, samples.data.held_out), base_loss = lossy ? given_loss : start_loss;
  Tensor::ResetPeakBytes();
  const DeferSignals until_saved;
  const RunResult result = RunTraining(*model, samples.data, train, run, log);
  const Index peak = Tensor::PeakBytes();
  const double end_loss = Evaluate(*model, samples.data.held_out);
  out.Fill([&](const std::filesystem::path& to) {
    const Phase phase("saving");
    models::SaveModel(to, *model, tokenizer, kept);
    WriteSettings(options, to);
    if (!basis) return;
    ct::WriteAmplitudes(to / "amplitudes.safetensors", *basis, method.start, models::TrainableParameters(*model));
  });
  state->Remove();
  Report(result, run, train.steps);
  std::printf("held-out loss: base %.4f, start %.4f, end %.4f; %.4f s/step, peak %s of tensors; wrote %s\n", base_loss,
              start_loss, end_loss, result.seconds_per_step, Megabytes(peak).c_str(),
              io::Printable(options.String("out")).c_str());
  return 0;
}

}  // namespace

Command SftCommand() {
  return {"sft", "Fine-tune a model on conversations: all of it, its scores alone, or by a method to compare with.",
          Join({{{"model", "DIR", nullptr, "model directory"},
                 {"data", "FILE", nullptr, kDataHelp},
                 TemplateOptionSpec(),
                 {"out", "DIR", nullptr, "directory to write: new, or empty"},
                 {"lr", "X", "", "peak learning rate; default: one for each method, such as 1e-2 for amplitude"}},
                MethodOptionSpecs(),
                BasisOptionSpecs(),
                ScopeOptionSpecs(),
                SampleOptionSpecs(),
                TrainingOptionSpecs("100", "8", "0"),
                RunOptionSpecs()}),
          Run};
}

}  // namespace ampgrad::train
