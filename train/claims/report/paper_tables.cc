// What studies found beside what the papers print.
#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "tensor/io/json.h"
#include "train/claims/finding.h"
#include "train/claims/report/report_rows.h"
#include "train/claims/report/table_cells.h"
#include "train/counts/figure.h"
#include "train/report/format.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

using report::Format;

// One study's column of S76's table.
struct ScaleColumn {
  const StudyInput* study;
  Index layers = 0, matrices = 0, parameters = 0;
  double weight_pr = NAN;
};

ScaleColumn ScaleOf(const StudyInput& study) {
  ScaleColumn column{&study};
  for (const StudyRun& run : study.runs.runs()) column.parameters = run.total;
  if (study.analysis.is_null()) return column;
  const io::JsonValue json(study.analysis, study.name + "/analysis.json");
  if (json.Has("layers")) column.layers = static_cast<Index>(json.Field("layers").json().size());
  if (json.Has("weight_pr")) column.weight_pr = json.Field("weight_pr").Field("value").Number();
  if (json.Has("by_k")) {
    const nlohmann::json& by_k = json.Field("by_k").json();
    if (!by_k.empty()) column.matrices = static_cast<Index>(by_k.begin()->value("matrices", nlohmann::json()).size());
  }
  return column;
}

// A row of it: a number of every study, the last over the first, and what S76 prints.
TableRow ScaleRow(const std::vector<ScaleColumn>& columns, std::string name,
                  const std::function<TableCell(const ScaleColumn&)>& cell, const std::vector<std::string>& printed) {
  TableRow row{std::move(name), {}};
  for (const ScaleColumn& column : columns) row.cells.push_back(cell(column));
  if (columns.size() > 1) {
    const double ratio = row.cells.back().figure.mean / row.cells.front().figure.mean;
    row.cells.push_back(Number(std::isfinite(ratio) ? ratio : NAN, "%.3g ×"));
  }
  for (const std::string& text : printed) row.cells.push_back(Words(text));
  return row;
}

TableCell CountOrNone(Index count) { return count > 0 ? Count(count) : Words("–"); }

// The figures at the best K of one start.
void AddBest(const std::vector<ScaleColumn>& columns, ct::Start start, ReportTable& table) {
  const bool papers = start == ct::Start::kReconstructed;
  const std::string name = std::string(" (") + ct::ToString(start) + ")";
  const auto add = [&](const char* what, const std::function<TableCell(const StudyRuns&, const Arm&)>& cell,
                       std::vector<std::string> printed) {
    if (!papers) printed = {"–", "–", "–"};
    const auto at_best = [&](const ScaleColumn& column) {
      const Arm* best = BestK(column.study->runs, start);
      return best ? cell(column.study->runs, *best) : Words("–");
    };
    table.rows.push_back(ScaleRow(columns, what + name, at_best, printed));
  };
  const auto share = [](const StudyRuns& runs, const Arm& arm) {
    const StudyRun& run = *std::ranges::find(runs.runs(), arm.name, [](const StudyRun& r) { return r.arm.name; });
    return Percent(static_cast<double>(run.trained) / static_cast<double>(run.total));
  };
  const auto efficiency = [](Gain gain) {
    return [gain](const StudyRuns& runs, const Arm& arm) { return Short(Summary(Efficiency(runs, arm, gain))); };
  };
  add("K of the lowest end loss", [](const StudyRuns&, const Arm& arm) { return Count(arm.method.k); },
      {"8", "32", "4 ×"});
  add("trained there, %", share, {"2.3", "1.56", "0.68 ×"});
  add("papers' efficiency, %", efficiency(Gain::kFromStart), {"92", "52.6", "0.57 ×"});
  add("from base, %", efficiency(Gain::kFromBase), {"–", "–", "–"});
}

}  // namespace

// What S78 and S76 print of TinyLlama's last two layers, and this study at the same K and at the same K/d.
ReportTable PrintedCurve(const StudyInput& study) {
  ReportTable table{
      "printed_curve",
      "The K curve that S78 and S76 print, of another model: 1.1B, d = 2048, its last two layers, 5 steps",
      {{"k", {"K"}},
       {"k_over_d", {"K/d, %", true}},
       {"variance_captured", {"captured, %", true}},
       {"r2", {"R²", true}},
       {"s78_efficiency", {"S78, %", true}},
       {"s76_efficiency", {"S76, %", true}},
       {"numbers", {"scores", true}},
       {"numbers_per_point", {"each %", true}},
       {"per_k", {"points for each K", true}},
       {"here_at_k", {"here at K, %", true}},
       {"here_at_k_over_d", {"here at K/d, %", true}}}};
  struct Printed {
    Index k;
    const char *captured, *r2, *s78, *s76, *each, *per_k;
  };
  const Printed printed[] = {{4, "2.3", "0.007", "-35.0", "–", "–", "–"},
                             {8, "3.4", "0.011", "-12.5", "-29.2", "–", "5.6"},
                             {16, "6.0", "0.017", "+0.8", "–", "–", "1.7"},
                             {32, "9.9", "0.028", "+45.6", "+52.6", "30.2K", "2.8"},
                             {64, "16.8", "0.050", "+107.7", "–", "25.5K", "1.9"}};
  const PaperModels models;
  const double width = static_cast<double>(models.tiny_two.width);
  const auto here = [&](double k) {
    const Arm* arm =
        k >= 1 && k == std::floor(k) ? study.runs.Amplitude(ct::Start::kReconstructed, static_cast<Index>(k)) : nullptr;
    return arm ? Short(Summary(Efficiency(study.runs, *arm, Gain::kFromStart))) : Words("–");
  };
  bool any = false;
  for (const Printed& p : printed) {
    const double part = static_cast<double>(p.k) / width;
    const TableCell at_k = here(static_cast<double>(p.k)), at_part = here(part * static_cast<double>(study.width));
    any = any || at_k.figure.HasMean() || at_part.figure.HasMean();
    table.rows.push_back({std::to_string(p.k),
                          {Percent(part, "%.3g"), Words(p.captured), Words(p.r2), Words(p.s78), Words(p.s76),
                           Count(models.tiny_two.Scores(p.k)), Words(p.each), Words(p.per_k), at_k, at_part}});
  }
  if (!any) table.rows.clear();
  table.note =
      "Phases by S78: destructive up to K = 8, breakeven at 16, superlinear from 32 on; full SFT takes 1.54M numbers a "
      "point. S76 has R² 0.009, ~0.016 and 0.029 at K = 8, 16 and 32. Their efficiency is of one seed by the loss of "
      "training batches; here it is the papers' efficiency on held-out data, start reconstructed.";
  return table;
}

// S72's count of what is what, at the K of its comparison.
ReportTable Decomposition(const StudyInput& study) {
  ReportTable table{"decomposition",
                    "",
                    {{"part", {"numbers"}},
                     {"count", {"here", true}},
                     {"share", {"%", true}},
                     {"s72_count", {"S72, 10.2M", true}},
                     {"s72_share", {"%", true}}}};
  const std::vector<Index> ks = ComparedKs(study.runs);
  const Arm* arm = nullptr;
  for (const ct::Start start : kStarts) {
    if (!ks.empty() && !arm) arm = study.runs.Amplitude(start, ks.front());
  }
  const std::vector<Index> lines = arm ? study.LinesOf(arm->name) : std::vector<Index>{};
  if (!arm || study.width == 0) return table;
  const auto own = std::ranges::find(study.runs.runs(), arm->name, [](const StudyRun& run) { return run.arm.name; });
  const Index k = arm->method.k, rows = own->trained / k, d = study.width;
  constexpr Index kPapersK = 8;
  const Counts papers = PaperModels().s72;
  table.heading = Format("What the model is made of at K = %lld, by S72's count", static_cast<long long>(k));
  const auto add = [&](const char* name, Index here, Index there) {
    const auto share = [](Index part, Index all) { return static_cast<double>(part) / static_cast<double>(all); };
    table.rows.push_back(
        {name,
         {Count(here), Percent(share(here, own->total)), Count(there), Percent(share(there, papers.StateDict()))},
         lines});
  };
  add("scores", rows * k, papers.Scores(kPapersK));
  add("basis", k * d, papers.Basis(kPapersK));
  add("not decomposed", own->total - rows * d, papers.FrozenOfStateDict());
  add("the rest of the matrices", rows * d - rows * k - k * d,
      papers.Decomposed() - papers.Scores(kPapersK) - papers.Basis(kPapersK));
  add("all", own->total, papers.StateDict());
  table.note = Format(
      "S72 prints these counts of PhotonicGPT, another model, at K = 8: a state dict, in which the tied "
      "vocabulary stands twice and is decomposed. Here each number is counted once, and what is not in "
      "scope counts as not decomposed. The mean row, %lld numbers, is in neither count.",
      static_cast<long long>(d));
  return table;
}

// S72's comparison: full SFT, both starts and LoRA, each from its own start.
ReportTable ComparisonTable(const StudyInput& study) {
  ReportTable table{"comparison",
                    "Full SFT beside amplitude and LoRA, as S72 compares them",
                    {{"arm", {"arm"}},
                     {"start_loss", {"start", true}},
                     {"end_loss", {"end", true}},
                     {"fall", {"fall", true}},
                     {"efficiency", {"papers', %", true}},
                     {"from_base_efficiency", {"from base, %", true}},
                     {"num_trainable_params", {"trained", true}},
                     {"parameter_efficiency", {"each number", true}}}};
  const StudyRuns& runs = study.runs;
  const std::vector<Index> ks = ComparedKs(runs);
  if (!runs.Full() || ks.empty()) return table;
  std::vector<const Arm*> arms = {runs.Full()};
  for (const ct::Start start : kStarts) arms.push_back(runs.Amplitude(start, ks.front()));
  const Arm* of_rank = runs.Find([&](const Arm& arm) {
    return runs.IsComparable(arm) && arm.method.method == "lora" && arm.method.factors == FactorSource::kDefault &&
           arm.method.rank == ks.front();
  });
  const Arm* matched = arms.back() ? MatchedLora(runs, *arms.back()) : nullptr;
  if (matched != of_rank) arms.push_back(matched);
  arms.push_back(of_rank);
  std::erase(arms, nullptr);
  for (const ArmRow& row : ArmRows(study)) {
    if (std::ranges::find(arms, row.arm) == arms.end()) continue;
    const SeedValues fall = runs.Of(*row.arm, [](const StudyRun& run) { return run.start_loss - run.end_loss; });
    const double each = row.from_start.mean * static_cast<double>(row.total) / static_cast<double>(row.trained);
    table.rows.push_back({row.arm->name,
                          {Number(row.start_loss.mean, "%.4f"), Loss(row.end_loss), Number(Summary(fall).mean, "%.4f"),
                           Short(row.from_start), Short(row.from_base), Count(row.trained), Number(each, "%.1f ×")},
                          row.lines,
                          Lacks(row.end_loss, row.from_base)});
  }
  const Counts papers = PaperModels().s72;
  table.rows.push_back({"S72, 10.2M: full",
                        {Words("7.324"), Words("6.128"), Words("1.196"), Words("100"), Words("–"),
                         Count(papers.StateDict()), Words("1 ×")}});
  table.rows.push_back({"S72: amplitude K=8",
                        {Words("7.595"), Words("6.497"), Words("1.098"), Words("91.8"), Words("–"),
                         Count(papers.Scores(8)), Words("40.1 ×")}});
  table.rows.push_back(
      {"S72: lora r=8", {Words("–"), Words("–"), Words("–"), Words("~90"), Words("–"), Words("~400K"), Words("–")}});
  table.note =
      "each number: the papers' efficiency over the trained share of all numbers (S72's parameter efficiency). S72 "
      "prints these figures of PhotonicGPT, another model, and describes no run of LoRA; its count is a state dict's.";
  return table;
}

ReportTable ScaleTable(const std::vector<StudyInput>& studies) {
  ReportTable table{"scale", "Scale, as S76 compares it", {{"quantity", {"quantity"}}}};
  std::vector<ScaleColumn> columns;
  for (const StudyInput& study : studies) columns.push_back(ScaleOf(study));
  std::ranges::stable_sort(columns, {}, [](const ScaleColumn& column) { return column.study->width; });
  for (size_t i = 0; i < columns.size(); ++i) {
    const Index d = columns[i].study->width;
    table.columns.push_back({"study_" + std::to_string(i + 1),
                             {d > 0 ? Format("d = %lld", static_cast<long long>(d)) : columns[i].study->name, true}});
  }
  if (columns.size() > 1) table.columns.push_back({"ratio", {"last over first", true}});
  table.columns.push_back({"s76_small", {"S76, 10.2M", true}});
  table.columns.push_back({"s76_large", {"S76, 1.1B", true}});
  table.columns.push_back({"s76_ratio", {"S76, ratio", true}});
  const auto add = [&](const char* name, const std::function<TableCell(const ScaleColumn&)>& cell,
                       const std::vector<std::string>& printed) {
    table.rows.push_back(ScaleRow(columns, name, cell, printed));
  };
  add("width d", [](const ScaleColumn& c) { return CountOrNone(c.study->width); }, {"256", "2048", "8 ×"});
  add("layers", [](const ScaleColumn& c) { return CountOrNone(c.layers); }, {"8", "22", "2.75 ×"});
  add("parameters", [](const ScaleColumn& c) { return CountOrNone(c.parameters); }, {"13.3M", "1.1B", "83 ×"});
  add("matrices", [](const ScaleColumn& c) { return CountOrNone(c.matrices); }, {"~60", "156", "2.6 ×"});
  add("PR of the weights", [](const ScaleColumn& c) { return Number(c.weight_pr, "%.4g"); }, {"~5", "916", "183 ×"});
  for (const ct::Start start : kStarts) AddBest(columns, start, table);
  table.note =
      "S76 prints its columns of other models. Its trained shares have unlike denominators: of a state dict, and of "
      "the "
      "matrices alone; here it is of all numbers. Its ~5 looks like a PR of scores.";
  return table;
}

}  // namespace ampgrad::train
