#include "train/commands/options/run_options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "autograd/ops.h"
#include "models/generate.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/printable.h"
#include "tensor/io/text_file.h"
#include "tensor/kernels/simd/simd_target.h"
#include "train/commands/options/files.h"
#include "train/commands/options/training_options.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

// What the first sequence of held-out data holds up to its first target.
std::vector<int> HeldOutPrompt(const Data& data) {
  const Batch first = data.held_out.front().Shard(0, data.held_out.front().sequences());
  const auto target =
      std::find_if(first.targets.begin(), first.targets.end(), [](int t) { return t != ops::kIgnored; });
  return {first.inputs.begin(), first.inputs.begin() + (target - first.targets.begin()) + 1};
}

std::vector<int> SamplePrompt(const Options& options, const models::Tokenizer& tokenizer, const Data& data) {
  if (!options.Has("sample-prompt")) return HeldOutPrompt(data);
  std::vector<int> ids = tokenizer.prefix();
  const std::vector<int> text =
      tokenizer.Encode(options.String("sample-prompt"), false, models::Tokenizer::Markup::kTokens);
  ids.insert(ids.end(), text.begin(), text.end());
  return ids;
}

// The complete settings. Of --steps and --epochs, only the one that counts.
std::string SettingsOf(const Options& options) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(options.Settings());
  if (options.Has("epochs")) json.erase("steps");
  return io::JsonText(json, 1) + "\n";
}

}  // namespace

std::vector<OptionSpec> RunOptionSpecs() {
  return {
      {"epochs", "X", "", "passes over the training data, in place of --steps"},
      {"eval-every", "N", "0",
       "steps between evaluations, on the validation part or, where there is none, the held-out part; 0: none"},
      {"keep", "WHICH", "last", "parameters that the run ends with: last, or best by the evaluations"},
      {"patience", "N", "0", "evaluations in a row that are no better, after which the run ends; 0: it never does"},
      {"save-every", "N", "0", "steps between saves of the state, to OUT.run; 0: only when the run is interrupted"},
      {"sample-every", "N", "0", "steps between texts that the model writes on stderr; 0: none"},
      {"sample-prompt", "TEXT", "", "what they continue; default: the prompt of the first held-out sample"},
      {"resume", "DIR", "", "go on with the run whose state is in DIR; no other option but --threads"},
      {"config", "FILE", "", "JSON with options by their names; those of the command line take their place"},
  };
}

void SetEpochs(const Options& options, Index samples, Index batch, TrainOptions& train) {
  if (!options.Has("epochs")) return;
  const double steps =
      std::ceil(options.Number("epochs", 1e-9, 1e9) * static_cast<double>(samples) / static_cast<double>(batch));
  if (!(steps <= kMany)) throw UsageError("expected --epochs that give at most 1000000000 steps");
  train.steps = std::max<Index>(1, static_cast<Index>(steps));
  if (!options.Has("warmup")) train.warmup = train.steps / 20;
}

RunPlan ReadRunPlan(const Options& options, models::LanguageModel& model, const models::Tokenizer& tokenizer,
                    const Data& data, const std::vector<int>& ends) {
  RunPlan plan;
  plan.eval_every = options.Integer("eval-every", 0, kMany);
  plan.keep_best = options.Choice("keep", {"last", "best"}) == "best";
  plan.patience = options.Integer("patience", 0, kMany);
  plan.save_every = options.Integer("save-every", 0, kMany);
  plan.sample_every = options.Integer("sample-every", 0, kMany);
  if (plan.eval_every == 0 && plan.keep_best) throw UsageError("--keep best needs --eval-every");
  if (plan.eval_every == 0 && plan.patience > 0) throw UsageError("--patience needs --eval-every");
  if (plan.sample_every == 0) return plan;
  models::GenerateOptions generate;
  generate.max_tokens = 64;
  generate.end_tokens = ends;
  generate.vocabulary = tokenizer.vocabulary();
  generate.never = tokenizer.IdsWithoutToken();
  const std::vector<int> prompt = SamplePrompt(options, tokenizer, data);
  const auto read = static_cast<Index>(prompt.size());
  RequireMemoryToGenerate(model, read, read + generate.max_tokens, AvailableMemory(), "--sample-prompt");
  plan.sample = [&model, &tokenizer, generate, prompt] {
    const std::vector<int> text = models::Generate(model, prompt, generate);
    return io::Printable(tokenizer.Decode(prompt, true) + " → " + tokenizer.Decode(text, true));
  };
  return plan;
}

std::unique_ptr<RunDirectory> OpenRunDirectory(const Options& options, const char* command, const fs::path& base) {
  const bool resume = options.Has("resume");
  const fs::path out = options.String("out"), directory = RunDirectory::For(out);
  const std::string settings = SettingsOf(options);
  Ranks& ranks = ProgramRanks();
  RequireSameOptions(options);
  if (resume) {
    const fs::path given = options.String("resume");
    std::error_code error;
    if (!fs::equivalent(given, directory, error)) {
      throw std::runtime_error(given.string() + ": expected to be " + directory.string() +
                               ", beside the output of its run; start in the directory where the run was started");
    }
    if (io::IsThere(out / RunDirectory::kSettings) && io::ReadTextFile(out / RunDirectory::kSettings) == settings) {
      std::printf("the run had ended; its result is in %s\n", io::Printable(out.string()).c_str());
      ranks.Gather("");  // all have looked before it is removed
      if (ranks.IsFirst()) fs::remove_all(directory);
      return nullptr;
    }
  }
  return During("reading the inputs", [&] {
    RunRecord record{command, settings, DigestInputs(options, base)};
    RequireSame(ranks, record.inputs);
    auto state = std::make_unique<RunDirectory>(directory, std::move(record), resume, ranks);
    RequireSame(ranks, {{"the instruction set", SimdTarget()}});
    return state;
  });
}

void ShowMemory(models::LanguageModel& model, const ct::Basis* basis, const TrainOptions& train, const RunPlan& plan,
                Index batch, Index longest, bool packed) {
  MemoryPlan memory = PlanMemory(model, basis, train, plan.keep_best);
  memory.packed = packed;
  std::printf("memory: %s\n", ToString(memory, memory.Shard(batch) * longest).c_str());
  RequireMemory(memory, batch, longest, AvailableMemory() / ProgramRanks().here());
}

void ShowRanks(models::LanguageModel& model, const TrainOptions& train) {
  if (train.ranks->size() == 1) return;
  const std::vector<Param*> trained = models::TrainableParameters(model);
  const Index bytes =
      ShardSum::BytesOf(models::CountParameters(trained), static_cast<Index>(trained.size()), train.shards);
  std::printf("%d ranks share %lld shards a step; each has %lld bytes a step to add to those of the others\n",
              train.ranks->size(), static_cast<long long>(train.shards), static_cast<long long>(bytes));
}

void Report(const RunResult& result, const RunPlan& plan, Index steps) {
  if (result.steps < steps) {
    std::printf("ended after step %lld of %lld: %lld evaluations in a row were no better\n",
                static_cast<long long>(result.steps), static_cast<long long>(steps),
                static_cast<long long>(plan.patience));
  }
  if (!plan.keep_best) return;
  std::printf("best evaluation: loss %.4f at step %lld, whose parameters are kept\n", result.best_loss,
              static_cast<long long>(result.best_step));
}

void WriteSettings(const Options& options, const fs::path& directory) {
  io::WriteFileAtomically(directory / RunDirectory::kSettings, SettingsOf(options));
}

}  // namespace ampgrad::train
