// The tables of what one study found.
#include <algorithm>
#include <cmath>
#include <set>

#include "train/claims/finding.h"
#include "train/claims/freezing.h"
#include "train/claims/report/report_rows.h"
#include "train/claims/report/table_cells.h"

namespace ampgrad::train {
namespace {

ReportTable CurveTable(const StudyInput& study, ct::Start start) {
  const std::string name = ct::ToString(start);
  ReportTable table{"curve_" + name,
                    "The K curve, " + name,
                    {{"k", {"K"}},
                     {"k_over_d", {"K/d, %", true}},
                     {"variance_captured", {"captured", true}},
                     {"r2", {"R²", true}},
                     {"efficiency", {"papers' eff., %", true}},
                     {"from_base_efficiency", {"from base, %", true}},
                     {"numbers_per_point", {"each %", true}},
                     {"phase", {"phase"}}}};
  for (const CurvePoint& point : KCurve(study.runs, start)) {
    const double each = point.TrainedPerPoint();
    table.rows.push_back(
        {std::to_string(point.k),
         {Percent(PartOf(study, point.k)), Number(AnalysisAt(study, point.k, "variance_captured"), "%.4f"),
          Number(AnalysisAt(study, point.k, "r2"), "%.4f"), ShareCell(point.from_start), ShareCell(point.from_base),
          std::isnan(each) ? Words("–") : Count(std::llround(each)), Words(PhaseOf(point.from_base))},
         study.LinesOf(point.arm->name),
         Lacks(point.end_loss, point.from_base)});
  }
  if (const Arm* best = BestK(study.runs, start)) {
    const ClaimFigure reach = {"K that reaches 80 % from the base", Summary(KReaching(study.runs, start, 0.8)),
                               FigureUnit::kNumber};
    table.note = "Lowest mean end loss: K = " + std::to_string(best->method.k) + ". " + Describe(reach) +
                 ". each %: trained numbers for a point from the base.";
  }
  return table;
}

ReportTable ReturnsTable(const StudyInput& study, ct::Start start) {
  const std::string name = ct::ToString(start);
  ReportTable table{"returns_" + name,
                    "Points of efficiency for each further K, " + name,
                    {{"from_to", {"K"}},
                     {"efficiency_per_k", {"papers'", true}},
                     {"from_base_efficiency_per_k", {"from base", true}}}};
  const auto papers = MarginalReturns(study.runs, start, Gain::kFromStart);
  const auto base = MarginalReturns(study.runs, start, Gain::kFromBase);
  for (size_t i = 0; i < papers.size(); ++i) {
    std::vector<Index> lines = study.LinesOf(papers[i].from->name), to = study.LinesOf(papers[i].to->name);
    lines.insert(lines.end(), to.begin(), to.end());
    table.rows.push_back({std::to_string(papers[i].from->method.k) + " to " + std::to_string(papers[i].to->method.k),
                          {ShareCell(papers[i].per_k, 2), ShareCell(base[i].per_k, 2)},
                          lines,
                          Lacks(base[i].per_k, base[i].per_k)});
  }
  return table;
}

ReportTable CaptureTable(const StudyInput& study) {
  ReportTable table{"capture",
                    "Gradient capture at step 0",
                    {{"k", {"K"}}, {"gradient_capture", {"‖dW·Bᵀ‖²/‖dW‖², %", true}}, {"k_over_d", {"K/d, %", true}}}};
  std::set<Index> ks;
  for (const auto& [seed, by_k] : study.captures) {
    for (const auto& [k, share] : by_k) ks.insert(k);
  }
  for (const Index k : ks) {
    const Interval capture = Summary(study.Capture(k));
    table.rows.push_back({std::to_string(k),
                          {ShareCell(capture), Percent(PartOf(study, k))},
                          study.capture_lines,
                          Lacks(capture, capture)});
  }
  return table;
}

// The papers' way to measure: the fall of the loss of training batches, at fixed rates.
ReportTable ProtocolTable(const StudyInput& study) {
  ReportTable table{"papers_protocol",
                    "The papers' protocol: fixed rates, and the loss of training batches",
                    {{"arm", {"arm"}},
                     {"steps", {"steps", true}},
                     {"batch_fall", {"batch loss falls by", true}},
                     {"batch_efficiency", {"by training batches, %", true}},
                     {"efficiency", {"held out, %", true}},
                     {"from_base_efficiency", {"from base, %", true}}}};
  const StudyRuns& runs = study.runs;
  const auto fall = [](const StudyRun& run) { return run.curve.empty() ? NAN : run.curve.front() - run.curve.back(); };
  bool any = false;
  for (const ArmRow& row : ArmRows(study)) {
    const Arm& arm = *row.arm;
    if (!(arm.fixed_lr > 0)) continue;
    const Arm* full = runs.Find([&](const Arm& other) {
      return other.fixed_lr > 0 && other.method.method == "full" && other.kind == ArmKind::kMethod &&
             other.steps == arm.steps && other.samples == arm.samples && other.method.scope == arm.method.scope;
    });
    if (!full) continue;
    any = any || full != &arm;
    const auto first = std::ranges::find(runs.runs(), arm.name, [](const StudyRun& run) { return run.arm.name; });
    const SeedValues falls = runs.Of(arm, fall);
    const Interval batch = Summary(RatioOf(falls, runs.Of(*full, fall)));
    std::vector<std::string> notes = Lacks(row.end_loss, row.end_loss);
    if (!batch.HasMean()) notes.push_back("by training batches: " + batch.why);
    table.rows.push_back({arm.name,
                          {Count(static_cast<Index>(first->curve.size())), Change(Summary(falls)), ShareCell(batch),
                           ShareCell(Summary(Efficiency(runs, arm, full, Gain::kFromStart))), ShareCell(row.from_base)},
                          row.lines,
                          notes});
  }
  if (!any) table.rows.clear();
  table.note =
      "Beside full SFT at its fixed rate: (first − last batch loss) of both, and the same of held-out losses, each "
      "from "
      "its own start. from base: beside full SFT at its searched rate. The papers measure by training batches: 5 steps "
      "at 1e-5 for full SFT and 5e-4 for scores, one seed; S76 prints 0.549/1.043 = 52.6 % for K = 32 at 1.1B.";
  return table;
}

ReportTable EqualNorm(const StudyInput& study) {
  ReportTable table{"equal_norm",
                    "At the ‖ΔW‖ of another arm",
                    {{"arm", {"arm"}},
                     {"change_relative", {"‖ΔW‖/‖W‖", true}},
                     {"change_relative_of_other", {"the other's", true}},
                     {"end_loss", {"end loss", true}},
                     {"end_loss_less_other", {"less the other's", true}}}};
  const StudyRuns& runs = study.runs;
  for (const ArmRow& row : ArmRows(study)) {
    const Arm* other = runs.Find([&](const Arm& arm) { return arm.name == row.arm->norm_of; });
    if (row.arm->norm_of.empty() || !other) continue;
    const SeedValues norm = runs.Of(*other, [](const StudyRun& run) { return run.change_relative; });
    std::vector<Index> lines = row.lines, of_other = study.LinesOf(other->name);
    lines.insert(lines.end(), of_other.begin(), of_other.end());
    table.rows.push_back({row.arm->name + " (of " + other->name + ")",
                          {Spread(row.change_relative, "%.4f", " ±%.4f"), Spread(Summary(norm), "%.4f", " ±%.4f"),
                           Loss(row.end_loss), Change(Summary(EndLossDifference(runs, *row.arm, *other)))},
                          lines,
                          Lacks(row.end_loss, row.end_loss)});
  }
  table.note = "The rate is that at which the arm changes the weights as much as the other does at its own best rate.";
  return table;
}

// Arms that train on few samples, each beside the arms that are the same on all of the data.
ReportTable FewSamples(const StudyInput& study) {
  ReportTable table{"few_samples",
                    "The gap between held-out and training loss, on few samples and on fresh batches",
                    {{"arm", {"arm"}},
                     {"samples", {"samples", true}},
                     {"train_loss", {"training loss", true}},
                     {"end_loss", {"held-out loss", true}},
                     {"held_out_less_train", {"gap", true}}}};
  const std::vector<ArmRow> rows = ArmRows(study);
  const auto add = [&](const ArmRow& row) {
    const Interval train = Summary(study.runs.Of(*row.arm, [](const StudyRun& run) { return run.train_loss; }));
    const TableCell samples = row.arm->samples > 0 ? Count(row.arm->samples) : Words("fresh");
    table.rows.push_back({row.arm->name,
                          {samples, Loss(train), Loss(row.end_loss), Change(row.gap)},
                          row.lines,
                          Lacks(row.end_loss, row.end_loss)});
  };
  for (const ArmRow& row : rows) {
    if (row.arm->samples == 0) continue;
    add(row);
    for (const ArmRow& fresh : rows) {
      const Arm &a = *row.arm, &b = *fresh.arm;
      if (b.samples == 0 && b.kind == a.kind && b.freeze.empty() && HasSearchedRate(b) &&
          (b.steps == a.steps || b.steps == 0) && b.method.Label() == a.method.Label() &&
          b.method.scope == a.method.scope) {
        add(fresh);
      }
    }
  }
  table.note =
      "Both losses by the same evaluation. Fresh batches are seen once, so they have no gap to speak of; on few "
      "samples "
      "a method that regularises keeps the gap small at the same training loss.";
  return table;
}

ReportTable Freezing(const StudyInput& study) {
  ReportTable table{"freezing",
                    "Matrices that stop training early",
                    {{"arm", {"arm"}},
                     {"train_time", {"seconds", true}},
                     {"speed_up_of_all_steps", {"all steps, ×", true}},
                     {"speed_up_to_loss", {"to its loss, ×", true}},
                     {"never_reach", {"never there", true}},
                     {"end_loss", {"end loss", true}},
                     {"end_loss_less_unfrozen", {"less without", true}}}};
  const std::vector<FreezingArm> arms = FreezingArms(study.runs);
  for (const FreezingArm& frozen : arms) {
    const Arm& arm = *frozen.arm;
    const Interval end = Summary(study.runs.Of(arm, &StudyRun::end_loss));
    std::vector<Index> lines = study.LinesOf(arm.name), without = study.LinesOf(frozen.unfrozen->name);
    lines.insert(lines.end(), without.begin(), without.end());
    table.rows.push_back(
        {arm.name,
         {Spread(Summary(frozen.seconds), "%.2f", " ±%.2f"), Spread(Summary(frozen.whole_ratio), "%.3f", " ±%.3f"),
          Spread(Summary(frozen.speed_up), "%.3f", " ±%.3f"), Count(frozen.late), Loss(end),
          Change(Summary(frozen.end_loss))},
         lines,
         Lacks(end, end)});
  }
  table.note = std::string("The bound: ") + kFreezingBoundText +
               ". Both factors are those of the run without freezing over this one: of all steps, and to the end loss "
               "of that run; one that is never there counts with all its steps. The papers claim 2 to 3, unmeasured.";
  return table;
}

ReportTable Answers(const StudyInput& study) {
  ReportTable table{"answers",
                    "Exact match: held-out problems whose generated answer is right",
                    {{"arm", {"arm"}}, {"answered", {"share, %", true}}}};
  bool any = false, right = false;
  for (const StudyRun& run : study.runs.runs()) {
    any = any || run.answered.has_value();
    right = right || run.answered.value_or(0) > 0;
  }
  if (!any) return table;
  if (!right) {
    table.note = "It is zero everywhere: no arm with any seed answers one of the problems.";
    return table;
  }
  for (const ArmRow& row : ArmRows(study)) {
    if (row.answered.HasMean()) {
      table.rows.push_back({row.arm->name, {ShareCell(row.answered)}, row.lines, Lacks(row.answered, row.answered)});
    }
  }
  return table;
}

}  // namespace

std::vector<ReportTable> StudyTables(const StudyInput& study) {
  std::vector<ReportTable> tables;
  for (const ct::Start start : kStarts) {
    tables.push_back(CurveTable(study, start));
    tables.push_back(ReturnsTable(study, start));
  }
  for (const auto of : {PrintedCurve, Decomposition, ComparisonTable, ProtocolTable, CaptureTable, EqualNorm,
                        FewSamples, Freezing, Answers}) {
    tables.push_back(of(study));
  }
  std::erase_if(tables, [](const ReportTable& table) {
    return table.rows.empty() && (table.name != "answers" || table.note.empty());
  });
  return tables;
}

}  // namespace ampgrad::train
