#include "tests/audit/report/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tensor/io/json.h"
#include "tests/audit/report/summary.h"

namespace ampgrad::audit {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json ToJson(const OpFinding& finding) {
  Json json = {{"op", finding.op},
               {"shape", finding.shape},
               {"input", finding.input},
               {"passed", Holds(finding)},
               {"bound", Number(finding.bound)},
               {"complex_step_error", Number(finding.complex_step_error)},
               {"adjoint_error", Number(finding.adjoint_error)},
               {"straight", finding.straight},
               {"taylor_slope", finding.straight ? Json(nullptr) : Number(finding.taylor_slope)},
               {"taylor", Json::array()}};
  for (const TaylorPoint& point : finding.taylor) {
    json["taylor"].push_back({{"h", Number(point.h)}, {"remainder", Number(point.remainder)}});
  }
  return json;
}

Json ToJson(const IdentityFinding& finding) {
  return {{"group", finding.group},
          {"statement", finding.statement},
          {"passed", Holds(finding)},
          {"error", Number(finding.error)},
          {"bound", Number(finding.bound)}};
}

Json ToJson(const KernelFinding& finding) {
  return {{"target", finding.target},
          {"kernel", finding.kernel},
          {"passed", Holds(finding)},
          {"share_of_bound", Number(finding.share)}};
}

Json ToJson(const MutantFinding& finding) {
  return {{"op", finding.op},
          {"fault", finding.fault},
          {"passed", Holds(finding)},
          {"killed", finding.killed},
          {"common_killed", finding.common_killed}};
}

Json ToJson(const LedgerEntry& entry) {
  return {{"tensor", entry.tensor},
          {"passed", Holds(entry)},
          {"trained", entry.trained},
          {"entries", entry.entries},
          {"compared", entry.compared},
          {"above_floor", entry.above_floor},
          {"gradient_norm", Number(entry.gradient_norm)},
          {"entry_error", Number(entry.entry_error)},
          {"worst_entry", entry.worst_entry},
          {"direction_error", Number(entry.direction_error)},
          {"bound", Number(entry.bound)},
          {"float_error", Number(entry.float_error)},
          {"float_bound", Number(entry.float_bound)}};
}

template <class Part>
Json List(const std::vector<Part>& parts) {
  Json list = Json::array();
  for (const Part& part : parts) list.push_back(ToJson(part));
  return list;
}

}  // namespace

std::string FormatJson(const Findings& findings) {
  Json failures = Json::array();
  for (const Failure& failure : Failures(findings)) {
    failures.push_back({{"check", failure.check}, {"reason", failure.reason}});
  }
  const MutationScore score = ScoreMutants(findings);
  const Json json = {
      {"title", findings.title},
      {"command", findings.command},
      {"passed", findings.Passed()},
      {"seconds", Number(findings.seconds)},
      {"checks", CountChecks(findings)},
      {"failures", failures},
      {"ops", List(findings.ops)},
      {"identities", List(findings.identities)},
      {"kernels", List(findings.kernels)},
      {"mutation_score", {{"faults", score.faults}, {"killed", score.killed}, {"common_killed", score.common_killed}}},
      {"mutants", List(findings.mutants)},
      {"ledger", List(findings.ledger)}};
  // Names come from model files; one that is not UTF-8 shall not cost the report.
  return io::JsonText(json, 1) + "\n";
}

}  // namespace ampgrad::audit
