#include "train/study/sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

// What all runs of a sweep share.
struct Bench {
  models::LanguageModel& base;
  const Data& data;
  const SweepOptions& options;
  std::shared_ptr<const ct::Basis> basis;
  RunLog& log;
};

// Throws when the machine has too little memory for steps of this method.
void RequireMemoryFor(const Bench& bench, const MethodSettings& method) {
  if (bench.options.batch == 0) return;
  RequireMemoryToPrepare(bench.base, method, AvailableMemory());
  const std::unique_ptr<models::LanguageModel> model = bench.base.Clone();
  Prepare(*model, method, bench.basis);
  const MemoryPlan plan = PlanMemory(*model, method.NeedsBasis() ? bench.basis.get() : nullptr);
  RequireMemory(plan, bench.options.batch, bench.options.length, AvailableMemory());
}

// The rate of `candidates` whose short run ends with the lowest loss on the validation part. A run that diverges loses.
double SearchLearningRate(const Bench& bench, const MethodSettings& method, const std::vector<double>& candidates) {
  if (candidates.size() == 1) return candidates[0];
  double best_lr = candidates.front(), best_loss = std::numeric_limits<double>::infinity();
  for (const double lr : candidates) {
    const std::unique_ptr<models::LanguageModel> model = bench.base.Clone();
    Prepare(*model, method, bench.basis);
    TrainOptions options = bench.options.train;
    options.steps = bench.options.search_steps;
    options.warmup = std::min(options.warmup, options.steps / 4);
    options.lr = lr;
    try {
      RunTraining(*model, bench.data, options, "search " + method.Label() + report::Format(" lr %g", lr), bench.log);
      const double loss = Evaluate(*model, bench.data.validation);
      if (loss < best_loss) {
        best_loss = loss;
        best_lr = lr;
      }
    } catch (const DivergedError&) {
      continue;
    }
  }
  if (best_loss == std::numeric_limits<double>::infinity()) {
    throw DivergedError("the learning-rate search of " + method.Label() + " diverged at every rate");
  }
  return best_lr;
}

SweepRow RunMethod(const Bench& bench, const MethodSettings& method, double lr, double base_loss) {
  const std::unique_ptr<models::LanguageModel> model = bench.base.Clone();
  const Index total = models::CountParameters(*model);
  Prepare(*model, method, bench.basis);
  SweepRow row{};
  row.method = method;
  row.lr = lr;
  row.trained = models::CountParameters(models::TrainableParameters(*model));
  row.share = static_cast<double>(row.trained) / static_cast<double>(total);
  row.base_loss = base_loss;
  row.start_loss = Evaluate(*model, bench.data.held_out);
  TrainOptions options = bench.options.train;
  options.lr = lr;
  row.seconds_per_step = RunTraining(*model, bench.data, options, method.Label(), bench.log);
  row.end_loss = Evaluate(*model, bench.data.held_out);
  return row;
}

// A ratio as a percentage; "-" for the ratio of a full SFT that gained nothing.
std::string Percent(double ratio) { return std::isfinite(ratio) ? report::Format("%.1f %%", 100 * ratio) : "-"; }

}  // namespace

std::vector<SweepRow> RunSweep(models::LanguageModel& base, const Data& data, const SweepOptions& options,
                               RunLog& log) {
  const std::vector<ct::RowSource> sources = ct::SelectRows(base.Parts().matrices, base.width(), options.policy);
  const Index largest_k = *std::max_element(options.ks.begin(), options.ks.end());
  Bench bench{base, data, options, nullptr, log};
  RequireMemoryFor(bench, {});
  bench.basis = During("universal basis", [&] {
    return std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, largest_k, options.sample));
  });
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    RequireMemoryFor(
        bench, {.method = "amplitude", .k = largest_k, .start = start, .chain = options.chain, .rows = options.policy});
  }
  const DeferSignals until_the_end;
  const double base_loss = Evaluate(base, data.held_out);

  std::vector<SweepRow> rows;
  rows.push_back(RunMethod(bench, {}, SearchLearningRate(bench, {}, options.full_lrs), base_loss));
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    MethodSettings method{
        .method = "amplitude", .k = 0, .start = start, .chain = options.chain, .rows = options.policy};
    method.k = options.ks[options.ks.size() / 2];
    const double lr = SearchLearningRate(bench, method, options.amplitude_lrs);
    for (const Index k : options.ks) {
      method.k = k;
      rows.push_back(RunMethod(bench, method, lr, base_loss));
    }
  }
  const SweepRow full = rows.front();
  for (SweepRow& row : rows) {
    row.efficiency = (row.start_loss - row.end_loss) / (full.start_loss - full.end_loss);
    row.from_base_efficiency = (row.base_loss - row.end_loss) / (full.base_loss - full.end_loss);
  }
  return rows;
}

std::string FormatTable(const std::vector<SweepRow>& rows) {
  std::string text =
      "| method    | start         |  K | lr     | trained   | share    | base   | start   | end    | efficiency | "
      "from base | s/step |\n"
      "|-----------|---------------|---:|-------:|----------:|---------:|-------:|--------:|-------:|-----------:|-----"
      "-----:|-------:|\n";
  for (const SweepRow& r : rows) {
    text += report::Format(
        "| %-9s | %-13s | %2s | %-6g | %9lld | %6.2f %% | %6.4f | %7.4f | %6.4f | %10s | %9s | %6.4f |\n",
        r.method.method.c_str(), r.method.NeedsBasis() ? ct::ToString(r.method.start) : "-",
        r.method.NeedsBasis() ? std::to_string(r.method.k).c_str() : "-", r.lr, static_cast<long long>(r.trained),
        100 * r.share, r.base_loss, r.start_loss, r.end_loss, Percent(r.efficiency).c_str(),
        Percent(r.from_base_efficiency).c_str(), r.seconds_per_step);
  }
  return text;
}

const char* const kTableLegend =
    "base, start, end: held-out loss of the untouched model, at the method's step 0, and after its last step\n"
    "efficiency: (start - end) / (start - end of full SFT), as the papers define it; a lossy start has far to fall\n"
    "from base:  (base - end) / (base - end of full SFT), what the method gained on the model it was given\n";

std::string TableJson(const std::vector<SweepRow>& rows) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const SweepRow& r : rows) {
    json.push_back({{"method", r.method.method},
                    {"start", r.method.NeedsBasis() ? nlohmann::ordered_json(ct::ToString(r.method.start)) : nullptr},
                    {"k", r.method.NeedsBasis() ? nlohmann::ordered_json(r.method.k) : nullptr},
                    {"lr", r.lr},
                    {"trained", r.trained},
                    {"share", r.share},
                    {"base_loss", r.base_loss},
                    {"start_loss", r.start_loss},
                    {"end_loss", r.end_loss},
                    {"efficiency", r.efficiency},
                    {"from_base_efficiency", r.from_base_efficiency},
                    {"seconds_per_step", r.seconds_per_step}});
  }
  return json.dump(1);
}

}  // namespace ampgrad::train
