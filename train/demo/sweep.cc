#include "train/demo/sweep.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "tensor/io/note.h"
#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"
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

// A copy of the base that trains by `method`.
std::unique_ptr<models::LanguageModel> PreparedCopy(const Bench& bench, const MethodSettings& method) {
  std::unique_ptr<models::LanguageModel> model = bench.base.Clone();
  Prepare(*model, method, bench.basis);
  return model;
}

// Throws when the machine has too little memory for steps of this method.
void RequireMemoryFor(const Bench& bench, const MethodSettings& method) {
  if (bench.options.batch == 0) return;
  RequireMemoryToPrepare(bench.base, method, AvailableMemory(), bench.options.train.optimizer);
  const std::unique_ptr<models::LanguageModel> model = PreparedCopy(bench, method);
  const MemoryPlan plan = PlanMemory(*model, method.NeedsBasis() ? bench.basis.get() : nullptr, bench.options.train);
  RequireMemory(plan, bench.options.batch, bench.options.length, AvailableMemory());
}

// Runs `method` for some steps at each rate that the search asks for, and judges it on the validation part.
RateSearch SearchRateOf(const Bench& bench, const MethodSettings& method, const std::vector<double>& grid) {
  const RateSearch search = SearchRate(grid, [&](double lr) {
    const std::unique_ptr<models::LanguageModel> model = PreparedCopy(bench, method);
    TrainOptions options = bench.options.train;
    options.steps = bench.options.search_steps;
    options.warmup = std::min(options.warmup, options.steps / 4);
    options.lr = lr;
    try {
      RunTraining(*model, bench.data, options, {.label = "search " + method.Label() + report::Format(" lr %g", lr)},
                  bench.log);
      return Evaluate(*model, bench.data.validation);
    } catch (const DivergedError&) {
      return std::numeric_limits<double>::infinity();
    }
  });
  if (!search.tried.empty()) {
    std::fprintf(stderr, "rates of %s, by validation loss: %s\n", method.Label().c_str(),
                 Describe(search.tried).c_str());
  }
  if (search.at_edge) io::Note(report::Format("no worse rate was found on one side of %g", search.lr));
  return search;
}

SweepRow RunMethod(const Bench& bench, const MethodSettings& method, const RateSearch& rate, double base_loss) {
  const std::unique_ptr<models::LanguageModel> model = PreparedCopy(bench, method);
  SweepRow row;
  row.method = method;
  row.rate = rate;
  row.base_loss = base_loss;
  row.trained = models::CountParameters(models::TrainableParameters(*model));
  row.share = static_cast<double>(row.trained) / static_cast<double>(models::CountParameters(bench.base));
  TrainOptions options = bench.options.train;
  options.lr = rate.lr;
  try {
    row.start_loss = Evaluate(*model, bench.data.held_out);
    if (std::isnan(rate.lr)) throw DivergedError("every rate of the search diverged");
    row.seconds_per_step =
        RunTraining(*model, bench.data, options, {.label = method.Label()}, bench.log).seconds_per_step;
    row.end_loss = Evaluate(*model, bench.data.held_out);
  } catch (const DivergedError& error) {
    row.diverged = error.what();
    io::Note(method.Label() + " diverged: " + row.diverged);
  }
  return row;
}

// The middle of `ks` by value; of an even count, the upper one.
Index MiddleK(std::vector<Index> ks) {
  std::sort(ks.begin(), ks.end());
  return ks[ks.size() / 2];
}

// A ratio as a percentage; "-" for that of a run that diverged, or of a full SFT that gained nothing.
std::string Percent(double ratio) { return std::isfinite(ratio) ? report::Format("%.1f %%", 100 * ratio) : "-"; }

std::string Decimals(double value) { return std::isfinite(value) ? report::Format("%.4f", value) : "-"; }

// [{"lr", "loss"}, …]; the loss of a run that diverged is null.
nlohmann::ordered_json Searched(const RateSearch& rate) {
  nlohmann::ordered_json tried = nlohmann::ordered_json::array();
  for (const auto& [lr, loss] : rate.tried) tried.push_back({{"lr", lr}, {"loss", loss}});
  return tried;
}

}  // namespace

std::vector<SweepRow> RunSweep(models::LanguageModel& base, const Data& data, const SweepOptions& options, RunLog& log,
                               const OnRow& on_row) {
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
  const auto run = [&](const MethodSettings& method, const RateSearch& rate) {
    SweepRow row = RunMethod(bench, method, rate, base_loss);
    const SweepRow& full = rows.empty() ? row : rows.front();
    row.efficiency = (row.start_loss - row.end_loss) / (full.start_loss - full.end_loss);
    row.from_base_efficiency = (row.base_loss - row.end_loss) / (full.base_loss - full.end_loss);
    rows.push_back(row);
    if (on_row) on_row(rows);
  };
  run({}, SearchRateOf(bench, {}, options.full_lrs));
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    MethodSettings method{
        .method = "amplitude", .k = 0, .start = start, .chain = options.chain, .rows = options.policy};
    method.k = MiddleK(options.ks);
    const RateSearch rate = SearchRateOf(bench, method, options.amplitude_lrs);
    for (const Index k : options.ks) {
      method.k = k;
      run(method, rate);
    }
  }
  return rows;
}

const char* const kTableHead =
    "| method    | start         |  K | lr     | trained   | share    | base   | start   | end      | efficiency | "
    "from base | s/step |\n"
    "|-----------|---------------|---:|-------:|----------:|---------:|-------:|--------:|---------:|-----------:|-----"
    "-----:|-------:|\n";

std::string FormatRow(const SweepRow& r) {
  const bool amplitude = r.method.NeedsBasis();
  return report::Format("| %-9s | %-13s | %2s | %-6s | %9lld | %6.2f %% | %6.4f | %7s | %8s | %10s | %9s | %6s |\n",
                        r.method.method.c_str(), amplitude ? ct::ToString(r.method.start) : "-",
                        amplitude ? std::to_string(r.method.k).c_str() : "-",
                        std::isfinite(r.rate.lr) ? report::Format("%g", r.rate.lr).c_str() : "-",
                        static_cast<long long>(r.trained), 100 * r.share, r.base_loss, Decimals(r.start_loss).c_str(),
                        r.diverged.empty() ? Decimals(r.end_loss).c_str() : "diverged", Percent(r.efficiency).c_str(),
                        Percent(r.from_base_efficiency).c_str(), Decimals(r.seconds_per_step).c_str());
}

void PrintLastRow(const std::vector<SweepRow>& rows) {
  std::printf("%s%s", rows.size() == 1 ? kTableHead : "", FormatRow(rows.back()).c_str());
  std::fflush(stdout);
}

const char* const kTableLegend =
    "lr: the rate is searched once for full SFT and once for each start, at the middle K\n"
    "base, start, end: held-out loss of the untouched model, at the method's step 0, and after its last step\n"
    "efficiency: (start - end) / (start - end of full SFT), as the papers define it; a lossy start has far to fall\n"
    "from base:  (base - end) / (base - end of full SFT), what the method gained on the model it was given\n";

std::string TableJson(const std::vector<SweepRow>& rows) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const SweepRow& r : rows) {
    json.push_back({{"method", r.method.method},
                    {"start", r.method.NeedsBasis() ? nlohmann::ordered_json(ct::ToString(r.method.start)) : nullptr},
                    {"k", r.method.NeedsBasis() ? nlohmann::ordered_json(r.method.k) : nullptr},
                    {"lr", r.rate.lr},
                    {"searched", Searched(r.rate)},
                    {"trained", r.trained},
                    {"share", r.share},
                    {"base_loss", r.base_loss},
                    {"start_loss", r.start_loss},
                    {"end_loss", r.end_loss},
                    {"efficiency", r.efficiency},
                    {"from_base_efficiency", r.from_base_efficiency},
                    {"seconds_per_step", r.seconds_per_step},
                    {"diverged", r.diverged.empty() ? nullptr : nlohmann::ordered_json(r.diverged)}});
  }
  return json.dump(1);
}

}  // namespace ampgrad::train
