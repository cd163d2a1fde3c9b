#include "train/claims/report/report_data.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "train/claims/report/report_rows.h"
#include "train/claims/report/report_tables.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

using nlohmann::ordered_json;

ordered_json IntervalJson(const Interval& i) {
  ordered_json json = {{"mean", i.mean},   {"low", i.low},         {"high", i.high},
                       {"seeds", i.seeds}, {"missing", i.missing}, {"diverged", i.diverged}};
  if (!i.why.empty()) json["why"] = i.why;
  return json;
}

ordered_json ArmJson(const ArmRow& row) {
  ordered_json json = {{"name", row.arm->name},
                       {"groups", row.arm->groups},
                       {"plan", PlanOf(*row.arm)},
                       {"num_trainable_params", row.trained},
                       {"num_total_params", row.total},
                       {"lr", row.lr},
                       {"lines", row.lines}};
  for (const ArmFigure& figure : ArmFigures()) json[figure.name] = IntervalJson(row.*figure.interval);
  return json;
}

ordered_json CurveJson(const StudyInput& study, ct::Start start) {
  ordered_json json = {{"start", ct::ToString(start)}};
  json["points"] = ordered_json::array();
  for (const CurvePoint& point : KCurve(study.runs, start)) {
    json["points"].push_back({{"k", point.k},
                              {"num_trainable_params", point.trained},
                              {"efficiency", IntervalJson(point.from_start)},
                              {"from_base_efficiency", IntervalJson(point.from_base)},
                              {"phase", PhaseOf(point.from_base)},
                              {"numbers_per_point", point.TrainedPerPoint()},
                              {"lines", study.LinesOf(point.arm->name)}});
  }
  const Arm* best = BestK(study.runs, start);
  json["best_k"] = best ? ordered_json(best->method.k) : ordered_json();
  json["k_80"] = IntervalJson(Summary(KReaching(study.runs, start, 0.8)));
  for (const Gain gain : {Gain::kFromStart, Gain::kFromBase}) {
    const char* name = gain == Gain::kFromStart ? "returns" : "from_base_returns";
    json[name] = ordered_json::array();
    for (const MarginalReturn& step : MarginalReturns(study.runs, start, gain)) {
      json[name].push_back(
          {{"from", step.from->method.k}, {"to", step.to->method.k}, {"per_k", IntervalJson(step.per_k)}});
    }
  }
  return json;
}

// A figure where there is one, else what stands in its place.
ordered_json CellJson(const TableCell& cell) {
  return cell.HasFigure() ? IntervalJson(cell.figure) : ordered_json(cell.text);
}

ordered_json TableJson(const ReportTable& table) {
  ordered_json json = {{"name", table.name}, {"heading", table.heading}, {"rows", ordered_json::array()}};
  for (const TableRow& row : table.rows) {
    ordered_json one = {{table.columns[0].key, row.name}};
    for (size_t c = 0; c < row.cells.size(); ++c) one[table.columns[c + 1].key] = CellJson(row.cells[c]);
    one["lines"] = row.lines;
    json["rows"].push_back(one);
  }
  json["note"] = table.note;
  return json;
}

// The lines of a study that a finding comes from. One over several studies names its arms with their study.
std::vector<Index> LinesOf(const StudyInput& study, const Finding& finding) {
  std::vector<Index> lines;
  const std::string prefix = study.name + ": ";
  for (const std::string& arm : finding.arms) {
    const bool of_several = finding.study.empty();
    if (of_several ? !arm.starts_with(prefix) : finding.study != study.name) continue;
    const std::vector<Index> of_arm = study.LinesOf(of_several ? arm.substr(prefix.size()) : arm);
    lines.insert(lines.end(), of_arm.begin(), of_arm.end());
  }
  return lines;
}

ordered_json FindingJson(const std::vector<StudyInput>& studies, const Finding& finding) {
  ordered_json json = {{"id", finding.id},
                       {"claim", finding.claim},
                       {"study", finding.study},
                       {"rule", finding.rule},
                       {"verdict", ToString(finding.verdict)}};
  json["figures"] = ordered_json::array();
  for (const ClaimFigure& figure : finding.figures) {
    ordered_json one = {{"name", figure.name}};
    one.update(IntervalJson(figure.interval));
    json["figures"].push_back(one);
  }
  json["arms"] = finding.arms;
  json["lines"] = ordered_json::object();
  for (const StudyInput& study : studies) {
    const std::vector<Index> lines = LinesOf(study, finding);
    if (!lines.empty()) json["lines"][study.name] = lines;
  }
  json["decides"] = finding.decides;
  return json;
}

// Lines of the CSV, one figure after another.
class ReportCsvLines {
 public:
  void Of(std::string study, std::string table, std::string name, std::vector<Index> lines, std::string verdict = {}) {
    place_ = report::CsvCell(study) + "," + table + "," + report::CsvCell(name);
    verdict_ = std::move(verdict);
    lines_.clear();
    for (const Index line : lines) lines_ += (lines_.empty() ? "" : " ") + std::to_string(line);
  }
  void Add(const std::string& figure, const Interval& i) {
    text_ += place_ + "," + report::CsvCell(figure) + "," + verdict_ + "," + Text(i.mean) + "," + Text(i.low) + "," +
             Text(i.high) + report::Format(",%d,%d,%d,", i.seeds, i.missing, i.diverged) + lines_ + "\n";
  }
  std::string Take() { return "study,table,name,figure,verdict,mean,low,high,seeds,missing,diverged,lines\n" + text_; }

 private:
  static std::string Text(double value) { return std::isfinite(value) ? report::Format("%.10g", value) : ""; }

  std::string place_, verdict_, lines_, text_;
};

// Every figure of a table, under the name of the row and the key of the column.
void AddTable(const std::string& study, const ReportTable& table, ReportCsvLines& lines) {
  for (const TableRow& row : table.rows) {
    lines.Of(study, table.name, row.name, row.lines);
    for (size_t c = 0; c < row.cells.size(); ++c) {
      if (row.cells[c].HasFigure()) lines.Add(table.columns[c + 1].key, row.cells[c].figure);
    }
  }
}

void AddStudy(const StudyInput& study, ReportCsvLines& lines) {
  for (const ArmRow& row : ArmRows(study)) {
    lines.Of(study.name, "arm", row.arm->name, row.lines);
    for (const ArmFigure& figure : ArmFigures()) lines.Add(figure.name, row.*figure.interval);
  }
  for (const ReportTable& table : StudyTables(study)) AddTable(study.name, table, lines);
}

}  // namespace

ordered_json ReportJson(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings) {
  ordered_json json = {{"studies", ordered_json::array()}, {"claims", ordered_json::array()}};
  for (const StudyInput& study : studies) {
    ordered_json one = {{"study", study.name},
                        {"width", study.width > 0 ? ordered_json(study.width) : ordered_json()},
                        {"seeds", study.runs.seeds()},
                        {"settings", study.settings.empty() ? ordered_json() : ordered_json::parse(study.settings)},
                        {"arms", ordered_json::array()}};
    for (const ArmRow& row : ArmRows(study)) one["arms"].push_back(ArmJson(row));
    for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
      one["curves"].push_back(CurveJson(study, start));
    }
    for (const auto& [seed, by_k] : study.captures) {
      for (const auto& [k, share] : by_k) one["capture"][std::to_string(k)] = IntervalJson(Summary(study.Capture(k)));
    }
    one["tables"] = ordered_json::array();
    for (const ReportTable& table : StudyTables(study)) one["tables"].push_back(TableJson(table));
    json["studies"].push_back(std::move(one));
  }
  json["scale"] = TableJson(ScaleTable(studies));
  for (const Finding& finding : findings) json["claims"].push_back(FindingJson(studies, finding));
  return json;
}

std::string ReportCsv(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings) {
  ReportCsvLines lines;
  for (const StudyInput& study : studies) AddStudy(study, lines);
  AddTable("", ScaleTable(studies), lines);
  for (const Finding& finding : findings) {
    std::vector<Index> from;
    for (const StudyInput& study : studies) {
      if (study.name == finding.study) from = LinesOf(study, finding);
    }
    lines.Of(finding.study, finding.id, finding.rule, from, ToString(finding.verdict));
    if (finding.figures.empty()) lines.Add("", {});
    for (const ClaimFigure& figure : finding.figures) lines.Add(figure.name, figure.interval);
  }
  return lines.Take();
}

}  // namespace ampgrad::train
