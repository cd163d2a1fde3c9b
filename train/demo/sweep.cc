#include "train/demo/sweep.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tensor/io/note.h"
#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"
#include "train/report/format.h"
#include "train/study/efficiency.h"

namespace ampgrad::train {
namespace {

constexpr uint64_t kSeed = 1;

// Throws when the machine has too little memory for steps of this method.
void RequireMemoryFor(models::LanguageModel& base, const MethodSettings& method, const SweepOptions& options) {
  RequireMemoryToPrepare(base, method, AvailableMemory(), options.train.optimizer);
  const std::shared_ptr<const ct::Basis> basis = EmptyBasis(method, base.width());
  const std::unique_ptr<models::LanguageModel> model = base.Clone();
  Prepare(*model, method, basis);
  RequireMemory(PlanMemory(*model, basis.get(), options.train), options.batch, options.length, AvailableMemory());
}

void RequireMemoryForAll(models::LanguageModel& base, const std::vector<Arm>& arms, const SweepOptions& options) {
  if (options.batch == 0) return;
  const Index largest = *std::ranges::max_element(options.ks);
  for (const Arm& arm : arms) {
    if (!arm.method.NeedsBasis() || arm.method.k == largest) RequireMemoryFor(base, arm.method, options);
  }
}

// The middle of `ks` by value; of an even count, the upper one.
Index MiddleK(std::vector<Index> ks) {
  std::sort(ks.begin(), ks.end());
  return ks[ks.size() / 2];
}

std::string Decimals(double value) { return std::isfinite(value) ? report::Format("%.4f", value) : "-"; }

// Says by which losses a rate was chosen.
void NoteSearch(const StudyRun& run) {
  if (run.rate.tried.empty()) return;
  std::fprintf(stderr, "rates of %s, by validation loss: %s\n", run.arm.RateFrom().c_str(),
               Describe(run.rate.tried).c_str());
  if (run.rate.at_edge) io::Note(report::Format("no worse rate was found on one side of %g", run.rate.lr));
}

// The rows of a sweep under way, from the lines of its study.
class SweepRows {
 public:
  SweepRows(const std::vector<Arm>& arms, const StudyFile& file, const OnRow& on_row)
      : arms_(arms), file_(file), on_row_(on_row) {}

  /// Adds a row for every line that is new.
  void Update() {
    while (rows_.size() < arms_.size() && file_.HasRun(arms_[rows_.size()].name, kSeed)) Add(arms_[rows_.size()]);
  }
  const std::vector<SweepRow>& rows() const { return rows_; }

 private:
  void Add(const Arm& arm) {
    const StudyRuns runs(file_.runs());
    const auto efficiency = [&](Gain gain) {
      const SeedValues values = Efficiency(runs, arm, gain);
      const auto found = values.values.find(kSeed);
      return found == values.values.end() || !values.why.empty() ? NAN : found->second;
    };
    const StudyRun& run = *runs.Run(arm, kSeed);
    if (rows_.empty() || arm.RateFrom() != rows_.back().run.arm.RateFrom()) NoteSearch(run);
    if (!run.diverged.empty()) io::Note(arm.name + " diverged: " + run.diverged);
    rows_.push_back({run, efficiency(Gain::kFromStart), efficiency(Gain::kFromBase)});
    if (on_row_) on_row_(rows_);
  }

  const std::vector<Arm>& arms_;
  const StudyFile& file_;
  const OnRow& on_row_;
  std::vector<SweepRow> rows_;
};

}  // namespace

std::vector<Arm> SweepArms(const SweepOptions& options) {
  Arm full;
  full.groups = {"frontier"};
  full.name = "full";
  full.method.chain = options.chain;
  full.method.rows = options.policy;
  std::vector<Arm> arms = {full};
  arms[0].rates = options.full_lrs;
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    Arm arm = full;
    arm.method.method = "amplitude";
    arm.method.start = start;
    arm.method.k = MiddleK(options.ks);
    const std::string searched = arm.method.Label();
    for (const Index k : options.ks) {
      arm.method.k = k;
      arm.name = arm.method.Label();
      arm.rates = arm.name == searched ? options.amplitude_lrs : std::vector<double>{};
      arm.rate_of = arm.name == searched ? "" : searched;
      arms.push_back(arm);
    }
  }
  return arms;
}

std::vector<SweepRow> RunSweep(models::LanguageModel& base, const Data& data, const SweepOptions& options,
                               StudyFile& file, const OnRow& on_row) {
  StudyOptions study;
  study.arms = SweepArms(options);
  study.seeds = kSeed;
  study.train = options.train;
  study.search_steps = options.search_steps;
  study.sample = options.sample;
  RequireMemoryForAll(base, study.arms, options);
  const DeferSignals until_the_end;
  SweepRows rows(study.arms, file, on_row);
  std::optional<Phase> phase;
  RunStudy(base, data, study, file, [&](const std::string& what) {
    phase.reset();
    rows.Update();
    phase.emplace(what);
  });
  phase.reset();
  rows.Update();
  return rows.rows();
}

const char* const kTableHead =
    "| method    | start         |  K | lr     | trained   | share    | base   | start   | end      | efficiency | "
    "from base | s/step |\n"
    "|-----------|---------------|---:|-------:|----------:|---------:|-------:|--------:|---------:|-----------:|-----"
    "-----:|-------:|\n";

std::string FormatRow(const SweepRow& r) {
  const MethodSettings& method = r.run.arm.method;
  const bool amplitude = method.NeedsBasis();
  return report::Format(
      "| %-9s | %-13s | %2s | %-6s | %9lld | %6.2f %% | %6.4f | %7s | %8s | %10s | %9s | %6s |\n",
      method.method.c_str(), amplitude ? ct::ToString(method.start) : "-",
      amplitude ? std::to_string(method.k).c_str() : "-",
      std::isfinite(r.run.rate.lr) ? report::Format("%g", r.run.rate.lr).c_str() : "-",
      static_cast<long long>(r.run.trained), 100 * r.Share(), r.run.base_loss, Decimals(r.run.start_loss).c_str(),
      r.run.diverged.empty() ? Decimals(r.run.end_loss).c_str() : "diverged",
      report::PercentOrDash(r.efficiency, 1).c_str(), report::PercentOrDash(r.from_base_efficiency, 1).c_str(),
      Decimals(r.run.seconds_per_step).c_str());
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
    const MethodSettings& method = r.run.arm.method;
    json.push_back({{"method", method.method},
                    {"start", method.NeedsBasis() ? nlohmann::ordered_json(ct::ToString(method.start)) : nullptr},
                    {"k", method.NeedsBasis() ? nlohmann::ordered_json(method.k) : nullptr},
                    {"lr", r.run.rate.lr},
                    {"searched", ToJson(r.run.rate.tried)},
                    {"trained", r.run.trained},
                    {"share", r.Share()},
                    {"base_loss", r.run.base_loss},
                    {"start_loss", r.run.start_loss},
                    {"end_loss", r.run.end_loss},
                    {"efficiency", r.efficiency},
                    {"from_base_efficiency", r.from_base_efficiency},
                    {"seconds_per_step", r.run.seconds_per_step},
                    {"diverged", r.run.diverged.empty() ? nullptr : nlohmann::ordered_json(r.run.diverged)}});
  }
  return json.dump(1);
}

}  // namespace ampgrad::train
