#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "models/language_model.h"
#include "tensor/random.h"
#include "train/commands/commands.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/progress.h"
#include "train/ranks/network_cost.h"
#include "train/shard_sum.h"
#include "train/study/study.h"

namespace ampgrad::train {
namespace {

// What a method trains, and how long a step of it takes here.
struct Measured {
  std::string label;
  Index numbers, params;
  double seconds;
};

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

Measured Measure(models::LanguageModel& given, const MethodSettings& method, const ct::RowSample& sample,
                 const Data& data) {
  const Phase phase("a step of " + method.Label());
  const std::unique_ptr<models::LanguageModel> model = given.Clone();
  Prepare(*model, method, MakeBases(*model, method, sample, {}));
  const std::vector<Param*> trained = models::TrainableParameters(*model);
  return {method.Label(), models::CountParameters(trained), static_cast<Index>(trained.size()),
          StepSeconds(*model, data)};
}

std::vector<MethodSettings> Methods(const Options& options, const models::LanguageModel& model) {
  MethodSettings settings;
  settings.rows = ReadRowsPolicy(options);
  settings.chain = ReadChain(options);
  std::vector<MethodSettings> methods;
  settings.method = "amplitude";
  for (const Index k : options.Integers("k", 1, model.width())) {
    settings.k = k;
    methods.push_back(settings);
  }
  settings.method = "lora";
  settings.rank = options.Integer("rank", 1, model.width());
  methods.push_back(settings);
  settings.method = "full";
  methods.push_back(settings);
  return methods;
}

int Run(const Options& options) {
  const std::string rate = options.Choice("network", {"100mbit", "1gbit", "10gbit"});
  const Network network{BitsPerSecond(rate), options.Number("latency", 0, 1e6) * 1e-3};
  const std::unique_ptr<models::LanguageModel> model = ReadModel(options.String("model"));
  const Index batch = options.Integer("batch", 1, 1 << 20);
  const Index length = options.Has("length") ? options.Integer("length", 1, model->context()) : model->context();
  const std::vector<Index> counts = options.Integers("ranks", 1, 1 << 20);
  const Data data = RandomTokens(*model, batch, length);
  std::printf(
      "each rank: %lld tokens a step, timed on this machine; link: %s, latency %g ms; all else is arithmetic\n\n",
      static_cast<long long>(batch * length), rate.c_str(), network.latency * 1e3);
  std::printf(
      "| %-16s | %10s | %5s | %12s | %8s | %8s | %8s | %8s |\n|------------------|-----------:|------:|"
      "-------------:|---------:|---------:|---------:|---------:|\n",
      "method", "trained", "ranks", "bytes a step", "alone s", "link s", "step s", "speed-up");
  for (const MethodSettings& method : Methods(options, *model)) {
    const Measured m = Measure(*model, method, ReadRowSample(options), data);
    for (const Index ranks : counts) {
      const Index bytes = ShardSum::BytesOf(m.numbers, m.params, ranks);
      const double link = SumSeconds(network, static_cast<int>(ranks), static_cast<double>(bytes));
      std::printf("| %-16s | %10lld | %5lld | %12lld | %8.4f | %8.4f | %8.4f | %8.2f |\n", m.label.c_str(),
                  static_cast<long long>(m.numbers), static_cast<long long>(ranks), static_cast<long long>(bytes),
                  m.seconds, link, m.seconds + link, static_cast<double>(ranks) * m.seconds / (m.seconds + link));
    }
  }
  return 0;
}

}  // namespace

Command PlanCommand() {
  return {"plan", "Say what sharing steps among the ranks of mpirun costs and brings: bytes, seconds, speed-up.",
          Join({{{"model", "DIR", nullptr, "model directory"},
                 {"ranks", "N,...", "2", "numbers of ranks, of which each makes one shard of a step"},
                 {"network", "RATE", "1gbit", "of the link between ranks: 100mbit, 1gbit or 10gbit"},
                 {"latency", "MS", "0.1", "milliseconds from one rank to another"},
                 {"k", "K,...", "8", "scores a row, of amplitude with start exact"},
                 {"rank", "R", "8", "of LoRA"},
                 {"batch", "N", "8", "sequences of a rank"},
                 {"length", "N", "", "tokens of a sequence; default: the model's context"},
                 {"seed", "N", "1", "of the rows that a basis is computed from, where they are drawn"}},
                BasisOptionSpecs()}),
          Run};
}

}  // namespace ampgrad::train
