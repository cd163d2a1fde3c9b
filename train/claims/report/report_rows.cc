#include "train/claims/report/report_rows.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

#include "tensor/io/json.h"

namespace ampgrad::train {
namespace {

constexpr const char* kPlanOrder[] = {"frontier", "bases", "starts", "peers", "scope", "length", "rates", "freezing"};

size_t PlaceOf(const Arm& arm) {
  const auto has = [&](const char* plan) { return std::ranges::find(arm.groups, plan) != arm.groups.end(); };
  return static_cast<size_t>(std::ranges::find_if(kPlanOrder, has) - std::begin(kPlanOrder));
}

// Where an arm stands: full fine-tuning before the methods, levels behind them.
auto OrderOf(const ArmRow& row) {
  const Arm& a = *row.arm;
  const MethodSettings& m = a.method;
  return std::tuple(PlaceOf(a), a.IsLevel(), a.steps, a.samples, m.method != "full", m.method, m.start, m.k, m.basis,
                    m.rank, m.factors, m.share, a.fixed_lr, a.freeze, a.norm_of, a.name);
}

ArmRow RowOf(const StudyInput& study, const Arm& arm) {
  const StudyRuns& runs = study.runs;
  const auto summary = [&](const std::function<double(const StudyRun&)>& number) {
    return Summary(runs.Of(arm, number));
  };
  ArmRow row{.arm = &arm};
  for (const StudyRun& run : runs.runs()) {
    if (run.arm.name != arm.name) continue;
    row.trained = run.trained;
    row.total = run.total;
    row.lr = run.rate.lr;
  }
  row.base_loss = summary([](const StudyRun& run) { return run.base_loss; });
  row.start_loss = summary([](const StudyRun& run) { return run.start_loss; });
  row.end_loss = summary([](const StudyRun& run) { return run.end_loss; });
  row.from_start = Summary(Efficiency(runs, arm, Gain::kFromStart));
  row.from_base = Summary(Efficiency(runs, arm, Gain::kFromBase));
  if (const Arm* full = runs.FullFor(arm)) {
    const auto end = [](const StudyRun& run) { return run.end_loss; };
    row.against_full = Summary(Difference(runs.Of(arm, end), runs.Of(*full, end)));
  }
  row.gap = summary([](const StudyRun& run) { return run.end_loss - run.train_loss; });
  row.answered = summary([](const StudyRun& run) { return run.answered.value_or(NAN); });
  row.forgetting = summary([](const StudyRun& run) { return run.forgetting.value_or(NAN); });
  row.change_relative = summary([](const StudyRun& run) { return run.change_relative; });
  row.seconds_per_step = summary([](const StudyRun& run) { return run.seconds_per_step; });
  row.memory = summary([](const StudyRun& run) { return static_cast<double>(run.memory); });
  row.lines = study.LinesOf(arm.name);
  return row;
}

}  // namespace

std::vector<ArmRow> ArmRows(const StudyInput& study) {
  std::vector<ArmRow> rows;
  for (const Arm* arm : study.runs.Arms()) rows.push_back(RowOf(study, *arm));
  std::ranges::sort(rows, {}, OrderOf);
  return rows;
}

std::string PlanOf(const Arm& arm) {
  const size_t place = PlaceOf(arm);
  return place < std::size(kPlanOrder) ? kPlanOrder[place] : "other";
}

const char* PhaseOf(const Interval& efficiency) {
  if (!efficiency.HasEnds()) return "–";
  if (efficiency.high < 0) return "destructive";
  if (efficiency.low <= 0) return "breakeven";
  return efficiency.low > 1 ? "above full" : "above 0";
}

double AnalysisAt(const StudyInput& study, Index k, const char* figure) {
  if (study.analysis.is_null()) return NAN;
  const io::JsonValue at = io::JsonValue(study.analysis, study.name + "/analysis.json").Field("by_k");
  if (!at.Has(std::to_string(k))) return NAN;
  const io::JsonValue value = at.Field(std::to_string(k)).Field(figure);
  const io::JsonValue number = value.json().is_object() ? value.Field("value") : value;
  return number.null() ? NAN : number.Number();
}

const std::vector<ArmFigure>& ArmFigures() {
  static const std::vector<ArmFigure> figures = {{"base_loss", &ArmRow::base_loss},
                                                 {"start_loss", &ArmRow::start_loss},
                                                 {"end_loss", &ArmRow::end_loss},
                                                 {"efficiency", &ArmRow::from_start},
                                                 {"from_base_efficiency", &ArmRow::from_base},
                                                 {"end_loss_less_full", &ArmRow::against_full},
                                                 {"held_out_less_train", &ArmRow::gap},
                                                 {"answered", &ArmRow::answered},
                                                 {"forgetting", &ArmRow::forgetting},
                                                 {"change_relative", &ArmRow::change_relative},
                                                 {"seconds_per_step", &ArmRow::seconds_per_step},
                                                 {"memory_max", &ArmRow::memory}};
  return figures;
}

}  // namespace ampgrad::train
