#include "tests/audit/report/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "train/report/format.h"

namespace ampgrad::audit {
namespace {

constexpr const char* kNotFinite = "a number is not finite";

// Puts a reason behind those that are there.
void AddReason(std::string& reasons, const std::string& reason) { reasons += (reasons.empty() ? "" : "; ") + reason; }

// Says so if `error` is not within `bound`.
void AddExcess(std::string& reasons, const std::string& what, double error, double bound) {
  if (error <= bound) return;
  AddReason(reasons, what + (" " + report::Scientific(error)) + ", bound " + report::Scientific(bound));
}

std::string WhyFailed(const OpFinding& finding) {
  std::string reasons;
  AddExcess(reasons, "complex-step error", finding.complex_step_error, finding.bound);
  AddExcess(reasons, "adjoint error", finding.adjoint_error, finding.bound);
  if (!SlopeHolds(finding)) {
    AddReason(reasons, "Taylor slope " + report::Decimal(finding.taylor_slope) + ", expected 2 ± 0.1");
  }
  return reasons.empty() ? kNotFinite : reasons;
}

std::string WhyFailed(const IdentityFinding& finding) {
  std::string reasons;
  AddExcess(reasons, "error", finding.error, finding.bound);
  return reasons.empty() ? kNotFinite : reasons;
}

std::string WhyFailed(const LedgerEntry& entry) {
  if (!entry.trained) return "frozen, but its gradient has norm " + report::Scientific(entry.gradient_norm);
  std::string reasons;
  if (!(entry.gradient_norm > 0)) AddReason(reasons, "gradient norm " + report::Scientific(entry.gradient_norm));
  if (entry.above_floor <= 0) AddReason(reasons, "no compared entry above the noise floor");
  AddExcess(reasons, "entry error at " + std::to_string(entry.worst_entry), entry.entry_error, entry.bound);
  AddExcess(reasons, "direction error", entry.direction_error, entry.bound);
  AddExcess(reasons, "error of the float build", entry.float_error, entry.float_bound);
  return reasons.empty() ? kNotFinite : reasons;
}

// The index of `name`, which is put at the end if it is new.
size_t IndexOf(std::vector<std::string>& names, const std::string& name) {
  const auto it = std::find(names.begin(), names.end(), name);
  const size_t index = static_cast<size_t>(it - names.begin());
  if (it == names.end()) names.push_back(name);
  return index;
}

OpSummary SummarizeOp(const std::string& op, const std::vector<const OpFinding*>& findings) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  OpSummary summary{.op = op, .findings = findings, .least_bound = kInfinity, .least_slope = kInfinity};
  summary.greatest_slope = -kInfinity;
  std::set<std::string> shapes;
  for (const OpFinding* finding : findings) {
    shapes.insert(finding->shape);
    summary.complex_step_error = Worse(summary.complex_step_error, finding->complex_step_error);
    summary.adjoint_error = Worse(summary.adjoint_error, finding->adjoint_error);
    summary.least_bound = Least(summary.least_bound, finding->bound);
    summary.greatest_bound = Worse(summary.greatest_bound, finding->bound);
    summary.passed = summary.passed && Holds(*finding);
    if (finding->straight) continue;
    summary.straight = false;
    summary.least_slope = Least(summary.least_slope, finding->taylor_slope);
    summary.greatest_slope = Worse(summary.greatest_slope, finding->taylor_slope);
  }
  summary.shapes = static_cast<Index>(shapes.size());
  return summary;
}

}  // namespace

double Worse(double a, double b) { return std::isnan(b) || b > a ? b : a; }

double Least(double a, double b) { return std::isnan(b) || b < a ? b : a; }

bool SlopeHolds(const OpFinding& finding) {
  return finding.straight || (finding.taylor_slope >= 1.9 && finding.taylor_slope <= 2.1);
}

bool Holds(const OpFinding& finding) {
  const auto finite = [](const TaylorPoint& p) { return std::isfinite(p.h) && std::isfinite(p.remainder); };
  const bool points = finding.straight || std::all_of(finding.taylor.begin(), finding.taylor.end(), finite);
  return finding.Passed() && points && std::isfinite(finding.bound) && std::isfinite(finding.complex_step_error) &&
         std::isfinite(finding.adjoint_error);
}

bool Holds(const IdentityFinding& finding) {
  return finding.Passed() && std::isfinite(finding.error) && std::isfinite(finding.bound);
}

bool Holds(const KernelFinding& finding) { return finding.Passed() && std::isfinite(finding.share); }

bool Holds(const MutantFinding& finding) { return finding.killed; }

bool Holds(const LedgerEntry& entry) {
  return entry.Passed() && std::isfinite(entry.gradient_norm) && std::isfinite(entry.entry_error) &&
         std::isfinite(entry.direction_error) && std::isfinite(entry.bound) && std::isfinite(entry.float_error) &&
         std::isfinite(entry.float_bound);
}

std::vector<Failure> Failures(const Findings& findings) {
  if (CountChecks(findings) == 0) return {{"the audit", "nothing was checked"}};
  std::vector<Failure> failures;
  for (const OpFinding& f : findings.ops) {
    if (!Holds(f)) failures.push_back({"op " + f.op + " (" + f.shape + ", " + f.input + ")", WhyFailed(f)});
  }
  for (const IdentityFinding& f : findings.identities) {
    if (!Holds(f)) failures.push_back({"identity \"" + f.statement + "\"", WhyFailed(f)});
  }
  for (const KernelFinding& f : findings.kernels) {
    if (!Holds(f))
      failures.push_back({"kernel " + f.kernel + " on " + f.target, report::Decimal(f.share) + " of its bound"});
  }
  for (const MutantFinding& f : findings.mutants) {
    if (!Holds(f)) failures.push_back({"fault in " + f.op + ": " + f.fault, "survived"});
  }
  for (const LedgerEntry& f : findings.ledger) {
    if (!Holds(f)) failures.push_back({"tensor " + f.tensor, WhyFailed(f)});
  }
  return failures;
}

Index CountChecks(const Findings& findings) {
  return static_cast<Index>(findings.ops.size() + findings.identities.size() + findings.kernels.size() +
                            findings.mutants.size() + findings.ledger.size());
}

std::string Headline(const Findings& findings) {
  const std::string checks = std::to_string(CountChecks(findings)) + " checks";
  if (CountChecks(findings) == 0) return "FAILED: nothing was checked";
  if (findings.Passed()) return "PASSED: " + checks;
  return "FAILED: " + std::to_string(Failures(findings).size()) + " of " + checks;
}

std::string OpSummary::Bound() const {
  const std::string least = report::Scientific(least_bound), greatest = report::Scientific(greatest_bound);
  return least == greatest ? least : least + " to " + greatest;
}

std::string OpSummary::Slope() const {
  if (straight) return "straight";
  const std::string least = report::Decimal(least_slope), greatest = report::Decimal(greatest_slope);
  return least == greatest ? least : least + " to " + greatest;
}

std::vector<OpSummary> SummarizeOps(const Findings& findings) {
  std::vector<std::string> names;
  std::vector<std::vector<const OpFinding*>> groups;
  for (const OpFinding& finding : findings.ops) {
    const size_t i = IndexOf(names, finding.op);
    groups.resize(names.size());
    groups[i].push_back(&finding);
  }
  std::vector<OpSummary> summaries;
  for (size_t i = 0; i < names.size(); ++i) summaries.push_back(SummarizeOp(names[i], groups[i]));
  return summaries;
}

KernelGrid SummarizeKernels(const Findings& findings) {
  KernelGrid grid;
  for (const KernelFinding& finding : findings.kernels) {
    IndexOf(grid.kernels, finding.kernel);
    IndexOf(grid.targets, finding.target);
  }
  grid.shares.assign(grid.kernels.size(), std::vector<std::optional<double>>(grid.targets.size()));
  for (const KernelFinding& finding : findings.kernels) {
    std::optional<double>& share =
        grid.shares[IndexOf(grid.kernels, finding.kernel)][IndexOf(grid.targets, finding.target)];
    share = share ? Worse(*share, finding.share) : finding.share;
  }
  return grid;
}

MutationScore ScoreMutants(const Findings& findings) {
  MutationScore score;
  for (const MutantFinding& finding : findings.mutants) {
    ++score.faults;
    score.killed += finding.killed;
    score.common_killed += finding.common_killed;
  }
  return score;
}

}  // namespace ampgrad::audit
