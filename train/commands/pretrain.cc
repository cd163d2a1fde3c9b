#include <cstdio>
#include <stdexcept>

#include "models/gpt.h"
#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "tensor/io/text_file.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/run_options.h"
#include "train/commands/options/training_options.h"
#include "train/data/text_data.h"
#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

// Only the vocabulary can be chosen so that the model itself does not fit: its weights, gradients and moments.
void RequireMemoryForVocabulary(const models::GptConfig& config) {
  const Index bytes = 4 * config.vocab_size * config.n_embd * static_cast<Index>(sizeof(Real));
  const Index available = AvailableMemory();
  if (bytes <= available) return;
  throw std::runtime_error("a vocabulary of " + std::to_string(config.vocab_size) + " needs " + Megabytes(bytes) +
                           " of memory to train, found " + Megabytes(available) +
                           " available; expected a smaller --vocab");
}

// The preset, with another width or vocabulary where they are asked for.
models::GptConfig ReadConfig(const Options& options) {
  models::GptConfig config = models::PresetConfig(options.Choice("preset", {"photonic", "nano"}));
  if (options.Has("width")) {
    const Index head = config.n_embd / config.n_head;
    config.n_embd = options.Integer("width", head, 1 << 16);
    if (config.n_embd % head != 0) {
      throw UsageError("--width: expected a multiple of the preset's heads of " + std::to_string(head) +
                       " columns, found " + std::to_string(config.n_embd));
    }
    config.n_head = config.n_embd / head;
  }
  if (options.Has("vocab")) {
    config.vocab_size = options.Integer("vocab", models::Tokenizer::Bytes().vocabulary(), 1 << 24);
  }
  return config;
}

int PretrainMain(const Options& given) {
  const Options options = WithShards(given);
  Ranks& ranks = ProgramRanks();
  const models::GptConfig config = ReadConfig(options);
  const uint64_t seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  TrainOptions train = ReadTrainOptions(options);
  train.ranks = &ranks;
  train.lr = options.Number("lr", 0, 1e30);
  const Index batch = options.Integer("batch", 1, 1 << 20);

  RequireMemoryForVocabulary(config);
  models::Gpt model(config);
  const models::Tokenizer tokenizer = models::Tokenizer::Bytes();
  const std::string file = options.String("text");
  const std::string text = io::ReadTextFile(file);
  Data data = During("reading the text",
                     [&] { return TextData(text, tokenizer, ReadLength(options, model), batch, seed, file); });
  LimitEvaluation(options, data);
  CutEvaluation(data, train.shards);
  SetEpochs(options, data.samples, batch, train);
  RunPlan run = ReadRunPlan(options, model, tokenizer, data, model.EndTokens());
  run.label = "pretrain";
  const std::unique_ptr<RunDirectory> state = OpenRunDirectory(options, "ampgrad pretrain");
  if (!state) return 0;
  run.directory = state.get();
  io::StagedDirectory out(options.String("out"));
  RunLog log(options.String("log"), state->resumed());

  model.Initialise(seed);
  std::printf("%s: %lld parameters, %zu bytes of text, unigram entropy %.4f nats\n", options.String("preset").c_str(),
              static_cast<long long>(models::CountParameters(model)), text.size(), UnigramEntropy(text));
  ShowMemory(model, nullptr, train, run, batch, ReadLength(options, model));
  ShowRanks(model, train);
  Tensor::ResetPeakBytes();
  const DeferSignals until_saved;
  const RunResult result = RunTraining(model, data, train, run, log);
  const Index peak = Tensor::PeakBytes();
  const double loss = Evaluate(model, data.held_out, ranks);
  if (!ranks.IsFirst()) return 0;
  out.Fill([&](const std::filesystem::path& to) {
    const Phase phase("saving");
    models::SaveModel(to, model, tokenizer);
    WriteSettings(options, to);
  });
  state->Remove();
  Report(result, run, train.steps);
  std::printf("held-out loss %.4f, %.4f s/step, peak %s of tensors; wrote %s\n", loss, result.seconds_per_step,
              Megabytes(peak).c_str(), io::Printable(options.String("out")).c_str());
  return 0;
}

}  // namespace

Command PretrainCommand() {
  return {"pretrain",
          "Train a model from a text file and write it as a Hugging Face directory.",
          Join({{{"text", "FILE", nullptr, "text to learn"},
                 {"out", "DIR", nullptr, "directory to write: new, or empty"},
                 {"preset", "NAME", "photonic", "model shape: photonic or nano"},
                 {"width", "N", "", "width d, by more or fewer heads of the preset's size; default: the preset's own"},
                 {"vocab", "N", "", "vocabulary size, at least the 256 of the byte tokenizer"},
                 {"lr", "X", "1e-3", "peak learning rate"}},
                TrainingOptionSpecs("500", "4", "0.1"),
                {LogOptionSpec()},
                RunOptionSpecs()}),
          PretrainMain,
          nullptr,
          true};
}

}  // namespace ampgrad::train
