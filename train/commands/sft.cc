#include <cstdio>
#include <memory>

#include "ct/adapter/native_adapter.h"
#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/commands/options/run_options.h"
#include "train/commands/options/save_options.h"
#include "train/commands/options/training_options.h"
#include "train/data/chat_data.h"
#include "train/freezing.h"
#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

ChatData ReadData(const Options& options, const GivenModel& given, const models::Tokenizer& tokenizer, Index shards) {
  const auto seed = static_cast<uint64_t>(options.Integer("seed", 0, kMany));
  ChatData samples = During("reading the data", [&] {
    return ReadChatData(ReadChatSource(options, given.Texts(), *given.model, seed), tokenizer);
  });
  LimitEvaluation(options, samples.data);
  CutEvaluation(samples.data, shards);
  return samples;
}

// The bases of the method, described on stdout.
Bases ReadBases(const Options& options, models::LanguageModel& model, const MethodSettings& method, const Data& data) {
  const Phase phase("the basis");
  const Bases bases = options.Has("basis-file") && method.NeedsBasis()
                          ? ReadBasisFor(options.String("basis-file"), model, method)
                          : MakeBases(model, method, ReadRowSample(options), GradientBatches(options, method, data));
  if (const auto& basis = bases.shared()) {
    const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), method.rows);
    std::printf("%s\n", Describe(*basis, sources, method.basis).c_str());
  }
  return bases;
}

// When matrices stop training, described on stdout.
std::vector<Freeze> ReadFreeze(const Options& options, models::LanguageModel& model, const MethodSettings& method,
                               const Bases& bases, Index steps) {
  if (!options.Has("freeze")) return {};
  const std::string word = options.String("freeze");
  const std::vector<Freeze> freezes = IsFreezeOrder(word)
                                          ? FreezeInParts(OrderToFreeze(model, word, method, bases), steps)
                                          : ReadFreezes(word, model, steps);
  std::printf(
      "%zu matrices stop training before the end; without their dW a step is at most %.2f times as fast on the "
      "average\n",
      freezes.size(), MostFreezingSaves(model, freezes, steps));
  return freezes;
}

// Makes the model trainable: by the method, or as the adapter that it has already was trained.
void MakeTrainable(const Options& options, GivenModel& given, const MethodSettings& method, const Bases& bases,
                   const TrainOptions& train) {
  const Index widened = given.adapter.empty() ? NumbersToWiden(*given.model, method) : 0;
  if (given.adapter.empty()) {
    RequireMemoryToPrepare(*given.model, method, AvailableMemory() / train.ranks->here(), train.optimizer);
    Prepare(*given.model, method, bases);
  } else {
    SetDropout(*given.model, method.dropout);
  }
  given.model->checkpoint_blocks = options.Has("checkpoint");
  const std::string label = given.adapter.empty() ? method.Label() : "the adapter";
  std::printf("%s\n", DescribeTrained(label, *given.model, widened).c_str());
}

void ShowLosses(double base, double start, double end, const RunResult& result, Index peak, const std::string& out) {
  std::printf("held-out loss: base %.4f, start %.4f, end %.4f; %.4f s/step, peak %s of tensors; wrote %s\n", base,
              start, end, result.seconds_per_step, Megabytes(peak).c_str(), io::Printable(out).c_str());
}

int SftMain(const Options& given_options) {
  const Options options = WithShards(given_options);
  Ranks& ranks = ProgramRanks();
  MethodSettings method = ReadMethod(options);
  TrainOptions train = ReadTrainOptions(options);
  train.ranks = &ranks;
  const Index batch = options.Integer("batch", 1, 1 << 20);

  const bool is_explicit = method.chain == nn::Chain::kExplicit;
  GivenModel given = ReadGivenModel(options, is_explicit ? AdapterUse::kTrainExplicit : AdapterUse::kTrain);
  models::LanguageModel& model = *given.model;
  const bool begins = given.adapter.empty();  // else the adapter goes on, by the forms that it has
  if (!begins) RequireNoOther(options, given.method);
  train.lr = options.Has("lr") ? options.Number("lr", 0, 1e30) : DefaultRate(begins ? method.method : given.method);
  const models::Tokenizer tokenizer = models::LoadTokenizer(given.Texts(), model);
  ChatData samples = ReadData(options, given, tokenizer, train.shards);
  models::KeptFiles kept(given.Texts());
  kept.Teach({samples.chat.end}, options.Has("template") ? models::JinjaText(samples.chat.format) : "");
  CheckK(method.k, model);
  method.scope = ReadScope(options, model);
  const Save save = ReadSave(options, method, given);
  SetEpochs(options, samples.data.samples, batch, train);
  RunPlan run = ReadRunPlan(options, model, tokenizer, samples.data, {samples.chat.end});
  run.label = begins ? method.Label() : "adapter";
  const std::unique_ptr<RunDirectory> state = OpenRunDirectory(options, "ampgrad sft", given.base);
  if (!state) return 0;
  run.directory = state.get();
  io::StagedDirectory out(options.String("out"));
  RunLog log(options.String("log"), state->resumed());

  std::printf("%s\n", Describe(samples).c_str());
  const Bases bases = begins ? ReadBases(options, model, method, samples.data) : Bases();
  const bool lossy = begins && method.StartIsLossy();  // every other start is the given model itself
  const auto held_out_loss = [&] { return Evaluate(model, samples.data.held_out, ranks); };
  const double given_loss = lossy ? state->Once("base_loss", held_out_loss) : 0;
  MakeTrainable(options, given, method, bases, train);
  train.freeze = ReadFreeze(options, model, method, bases, train.steps);
  const bool level = begins && method.IsLevel();
  if (!level) ShowMemory(model, bases.shared().get(), train, run, batch, samples.longest, options.Has("pack"));
  if (!level) ShowRanks(model, train);
  const double start_loss = state->Once("start_loss", held_out_loss), base_loss = lossy ? given_loss : start_loss;
  Tensor::ResetPeakBytes();
  const DeferSignals until_saved;
  const RunResult result = level ? RunResult{} : RunTraining(model, samples.data, train, run, log);
  const Index peak = Tensor::PeakBytes();
  const double end_loss = held_out_loss();
  if (!ranks.IsFirst()) return 0;
  out.Fill([&](const std::filesystem::path& to) {
    const Phase phase("saving");
    if (save.merged) models::SaveModel(to, model, tokenizer, kept);
    if (save.adapter) SaveAdapter(to, options, method, given, bases);
    if (save.adapter && !save.merged && options.Has("template")) models::SaveTexts(to, model, tokenizer, kept);
    WriteSettings(options, to);
  });
  state->Remove();
  if (!level) Report(result, run, train.steps);
  if (save.adapter) std::printf("%s\n", DescribeSize(options.String("out"), given).c_str());
  ShowLosses(base_loss, start_loss, end_loss, result, peak, options.String("out"));
  return 0;
}

}  // namespace

Command SftCommand() {
  return {"sft",
          "Fine-tune a model on conversations: all of it, its scores alone, or by a method to compare with.",
          Join({ModelOptionSpecs(),
                {{"data", "FILE", nullptr, kDataHelp},
                 {"freeze", "ORDER", "",
                  "matrices that stop training early: half of them after a quarter of the steps, three quarters after "
                  "half; pr (lowest participation ratio of scores first), pr-high, random, layers (lowest first), or a "
                  "FILE of lines 'STEP MATRIX'"},
                 TemplateOptionSpec(),
                 {"out", "DIR", nullptr, "directory to write: new, or empty"},
                 {"lr", "X", "", "peak learning rate; default: one for each method, such as 1e-2 for amplitude"}},
                MethodOptionSpecs(),
                BasisOptionSpecs(),
                ScopeOptionSpecs(),
                SampleOptionSpecs(),
                SaveOptionSpecs(),
                TrainingOptionSpecs("100", "8", "0"),
                {LogOptionSpec()},
                RunOptionSpecs()}),
          SftMain,
          nullptr,
          true};
}

}  // namespace ampgrad::train
