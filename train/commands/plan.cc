#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/language_model.h"
#include "tensor/random.h"
#include "train/commands/commands.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/counts/model_shape.h"
#include "train/counts/zero_weights.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"
#include "train/ranks/network_cost.h"
#include "train/report/format.h"
#include "train/shard_sum.h"
#include "train/study/study.h"

namespace ampgrad::train {
namespace {

// The words of --weights.
constexpr std::pair<const char*, StoredType> kWeights[] = {
    {"f32", StoredType::kF32},   {"f16", StoredType::kF16},   {"bf16", StoredType::kBf16}, {"q8_0", StoredType::kQ8_0},
    {"q4_0", StoredType::kQ4_0}, {"q4_1", StoredType::kQ4_1}, {"q5_0", StoredType::kQ5_0}, {"q5_1", StoredType::kQ5_1},
    {"q4_k", StoredType::kQ4K},  {"q5_k", StoredType::kQ5K},  {"q6_k", StoredType::kQ6K},  {"nf4", StoredType::kNf4}};

StoredType ReadWeights(const Options& options) {
  std::vector<std::string> words;
  for (const auto& [word, type] : kWeights) words.push_back(word);
  const std::string chosen = options.Choice("weights", words);
  return kWeights[std::ranges::find(words, chosen) - words.begin()].second;
}

// The model of --model, or that of --preset with zeros for weights.
std::unique_ptr<models::LanguageModel> ReadPlanned(const Options& options) {
  if (options.Has("model") == options.Has("preset")) throw UsageError("expected one of --model and --preset");
  if (options.Has("model")) {
    if (options.Given("weights")) throw UsageError("--weights goes with --preset: a model has weights of its own");
    return ReadModel(options.String("model"));
  }
  std::unique_ptr<models::LanguageModel> model = PresetShape(options.Choice("preset", ShapePresets())).model;
  UseZeroWeights(*model, ReadWeights(options));
  return model;
}

// A step of random tokens: their number is what its time depends on.
Data RandomTokens(const models::LanguageModel& model, Index batch, Index length) {
  Data data;
  data.train = [&model, batch, length](Index step) {
    const Random random(1, static_cast<uint64_t>(step));
    Batch tokens{length, {}, {}};
    for (uint64_t i = 0; i < static_cast<uint64_t>(batch * length); ++i) {
      tokens.inputs.push_back(static_cast<int>(random.Below(2 * i, model.vocabulary())));
      tokens.targets.push_back(static_cast<int>(random.Below(2 * i + 1, model.vocabulary())));
    }
    return tokens;
  };
  return data;
}

std::vector<MethodSettings> Methods(const Options& options, models::LanguageModel& model) {
  MethodSettings settings;
  settings.rows = ReadRowsPolicy(options);
  settings.chain = ReadChain(options);
  settings.scope = ReadScope(options, model);
  settings.start = ct::ParseStart(options.Choice("start", {"exact", "reconstructed"}));
  settings.rank = options.Integer("rank", 1, model.width());
  std::vector<MethodSettings> methods;
  const std::vector<std::string> known = MethodNames();
  for (const std::string& word : options.Strings("method")) {
    if (std::ranges::find(known, word) == known.end()) {
      throw UsageError("expected --method to hold names of methods, found '" + word + "'");
    }
    settings.method = word;
    if (word != "amplitude") {
      methods.push_back(settings);
      continue;
    }
    for (const Index k : options.Integers("k", 1, model.width())) {
      settings.k = k;
      methods.push_back(settings);
    }
  }
  return methods;
}

// A step's share of the link, for each number of ranks.
struct RanksTable {
  Network network;
  std::vector<Index> counts;
  std::string rows;

  void Add(const std::string& label, models::LanguageModel& model, const Data& data) {
    const std::vector<Param*> trained = models::TrainableParameters(model);
    const Index numbers = models::CountParameters(trained), params = static_cast<Index>(trained.size());
    const double alone = During("a step of " + label, [&] { return StepSeconds(model, data); });
    for (const Index ranks : counts) {
      const Index bytes = ShardSum::BytesOf(numbers, params, ranks);
      const double link = SumSeconds(network, static_cast<int>(ranks), static_cast<double>(bytes)), all = alone + link;
      rows += report::Format("| %-16s | %10lld | %5lld | %12lld | %8.4f | %8.4f | %8.4f | %8.2f |\n", label.c_str(),
                             static_cast<long long>(numbers), static_cast<long long>(ranks),
                             static_cast<long long>(bytes), alone, link, all, static_cast<double>(ranks) * alone / all);
    }
  }
};

void Print(const RanksTable& table, const Options& options, Index tokens) {
  std::printf(
      "\neach rank: %lld tokens a step, timed on this machine; link: %s, latency %g ms; all else is arithmetic\n\n"
      "| %-16s | %10s | %5s | %12s | %8s | %8s | %8s | %8s |\n|------------------|-----------:|------:|"
      "-------------:|---------:|---------:|---------:|---------:|\n%s",
      static_cast<long long>(tokens), options.String("network").c_str(), table.network.latency * 1e3, "method",
      "trained", "ranks", "bytes a step", "alone s", "link s", "step s", "speed-up", table.rows.c_str());
}

int PlanMain(const Options& options) {
  const std::string rate = options.Choice("network", {"100mbit", "1gbit", "10gbit"});
  RanksTable table{{BitsPerSecond(rate), options.Number("latency", 0, 1e6) * 1e-3}, {}, {}};
  if (options.Has("ranks")) table.counts = options.Integers("ranks", 1, 1 << 20);
  const std::unique_ptr<models::LanguageModel> model = ReadPlanned(options);
  model->checkpoint_blocks = options.Has("checkpoint");
  const Index batch = options.Integer("batch", 1, 1 << 20);
  constexpr Index kLength = 512;
  const Index context = model->context(),
              length = options.Has("length") ? options.Integer("length", 1, context) : std::min(kLength, context);
  const Data data = RandomTokens(*model, batch, length);
  for (const MethodSettings& method : Methods(options, *model)) {
    const std::string label = method.Label();
    const Index alone = BytesToPrepare(*model, method);
    if (alone > AvailableMemory()) {
      std::printf("%s: needs %s for what it trains alone, more than this machine has to try it\n", label.c_str(),
                  Megabytes(alone).c_str());
      continue;
    }
    const std::shared_ptr<const ct::Basis> basis = EmptyBasis(method, model->width());
    const std::unique_ptr<models::LanguageModel> prepared = model->Clone();
    Prepare(*prepared, method, basis);
    MemoryPlan memory = During("the memory of " + label, [&] { return PlanMemory(*prepared, basis.get()); });
    if (options.Has("preset")) {
      const Index copied = BytesToCopy(*prepared, ReadWeights(options));
      memory.mapped -= copied, memory.weights += copied;
    }
    std::printf("%s\nmemory: %s\n", DescribeTrained(label, *prepared, NumbersToWiden(*model, method)).c_str(),
                ToString(memory, batch * length).c_str());
    if (!table.counts.empty()) table.Add(label, *prepared, data);
  }
  if (!table.counts.empty()) Print(table, options, batch * length);
  return 0;
}

}  // namespace

Command PlanCommand() {
  std::vector<OptionSpec> basis = BasisOptionSpecs();
  std::erase_if(basis, [](const OptionSpec& spec) { return spec.name == std::string("sample"); });
  return {"plan", "Say what fine-tuning takes before it is begun: memory, and what ranks on a network cost and bring.",
          Join({{{"model", "DIR", "", "model directory or GGUF file"},
                 {"preset", "NAME", "",
                  "in place of a model, a public shape without weights: photonic, gpt2, gpt2-xl, tinyllama, llama-7b, "
                  "llama-13b or llama-70b"},
                 {"weights", "TYPE", "bf16",
                  "that the shape's matrices lie in: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k or "
                  "nf4"},
                 {"method", "NAME,...", "amplitude,lora,full", "methods to plan"},
                 {"k", "K,...", "8", "scores a row, of amplitude"},
                 {"start", "NAME", "exact", "of amplitude: exact or reconstructed"},
                 {"rank", "R", "8", "of low-rank methods"}},
                basis,
                ScopeOptionSpecs(),
                {{"batch", "N", "1", "sequences of a step, of each rank"},
                 {"length", "N", "", "tokens of a sequence; default: 512, or the model's context"},
                 {"ranks", "N,...", "", "numbers of ranks under mpirun, of which each makes one shard of a step"},
                 {"network", "RATE", "1gbit", "of the link between ranks: 100mbit, 1gbit or 10gbit"},
                 {"latency", "MS", "0.1", "milliseconds from one rank to another"}}}),
          PlanMain};
}

}  // namespace ampgrad::train
