#include "tests/audit/report/html.h"

#include <algorithm>

#include "tests/audit/report/plots.h"
#include "tests/audit/report/summary.h"
#include "tests/audit/report/tables.h"
#include "train/report/format.h"
#include "train/report/html.h"

namespace ampgrad::audit {
namespace {

// "20 of 20 hold".
template <class Part>
std::string CountPassed(const std::vector<Part>& parts) {
  const auto passed = std::count_if(parts.begin(), parts.end(), [](const Part& part) { return Holds(part); });
  return std::to_string(passed) + " of " + std::to_string(parts.size());
}

std::string Facts(const Findings& findings) {
  std::string facts;
  if (!findings.ops.empty()) {
    double worst = 0;
    for (const OpFinding& f : findings.ops) {
      worst =
          Worse(worst, Worse(report::Share(f.complex_step_error, f.bound), report::Share(f.adjoint_error, f.bound)));
    }
    facts += report::Fact("op gradients", CountPassed(findings.ops),
                          std::to_string(SummarizeOps(findings).size()) + " ops; worst error " +
                              report::Scientific(worst) + " of its bound");
  }
  if (!findings.mutants.empty()) {
    const MutationScore score = ScoreMutants(findings);
    facts += report::Fact("planted faults", CountPassed(findings.mutants),
                          "noticed; the common check: " + std::to_string(score.common_killed));
  }
  if (!findings.ledger.empty()) {
    Index compared = 0;
    for (const LedgerEntry& entry : findings.ledger) compared += entry.compared;
    facts += report::Fact("tensors of the model", CountPassed(findings.ledger),
                          std::to_string(compared) + " entries compared");
  }
  if (!findings.identities.empty())
    facts += report::Fact("identities", CountPassed(findings.identities), "statements hold");
  if (!findings.kernels.empty()) {
    double worst = 0;
    for (const KernelFinding& f : findings.kernels) worst = Worse(worst, f.share);
    facts += report::Fact("kernels", CountPassed(findings.kernels),
                          "worst error " + report::Decimal(worst) + " of its bound");
  }
  facts += report::Fact("time", report::Format("%.1f s", findings.seconds), "");
  return "<dl class=\"facts\">\n" + facts + "</dl>\n";
}

std::string Header(const Findings& findings) {
  const std::vector<Failure> failures = Failures(findings);
  const bool passed = failures.empty();
  return "<header>\n<h1>Gradient audit: " + report::Escape(findings.title) + "</h1>\n<p class=\"verdict " +
         (passed ? "good\">✓ " : "bad\">✗ ") + Headline(findings) + "</p>\n" + Facts(findings) +
         "<p>The same again: <code>" + report::Escape(findings.command) + "</code></p>\n</header>\n";
}

std::string FailureSection(const Findings& findings) {
  const std::vector<Failure> failures = Failures(findings);
  if (failures.empty()) return "";
  constexpr size_t kShown = 20;
  std::string items;
  for (size_t i = 0; i < std::min(failures.size(), kShown); ++i) {
    items += "<li><b>" + report::Escape(failures[i].check) + "</b>: " + report::Escape(failures[i].reason) + "</li>\n";
  }
  if (failures.size() > kShown) items += "<li>and " + std::to_string(failures.size() - kShown) + " more</li>\n";
  return report::Section("What failed", "Each check that did not pass, with the number that gave it away.",
                         "<ul class=\"failures\">\n" + items + "</ul>\n");
}

std::string OpSections(const Findings& findings) {
  if (findings.ops.empty()) return "";
  const std::vector<OpSummary> ops = SummarizeOps(findings);
  std::string html =
      report::Section("Every backward against two independent derivations",
                      "Each mark is the relative error of one gradient, further right by a factor of ten per "
                      "line; all must stay left of "
                      "the bound, while a wrong backward would land far inside the tinted zone.",
                      ErrorPlot(ops) + "<details class=\"names\"><summary>The same as numbers</summary>\n" +
                          OpTable(ops) + "</details>\n");
  const std::string plots = TaylorPlots(ops);
  if (plots.empty()) return html;
  return html + report::Section(
                    "What the gradient leaves unexplained must vanish as h²",
                    "A step ten times shorter must leave a remainder a hundred times smaller, so the dots must run "
                    "along the dashed guide; with a wrong gradient they would fall half as steeply and leave it (a "
                    "linear op leaves no remainder and has no plot).",
                    plots);
}

std::string FaultSection(const Findings& findings) {
  if (findings.mutants.empty()) return "";
  return report::Section(
      "Would it have noticed? Faults planted on purpose",
      "Each square is a bug put into a backward to see who notices, and a ✗ in the first row would be a blind "
      "spot of this audit; the common check below accepts every gradient entry within 0.02 of the reference.",
      FaultSquares(findings.mutants) + FaultGrid(findings.mutants));
}

std::string LedgerSection(const Findings& findings) {
  if (findings.ledger.empty()) return "";
  return report::Section(
      "The whole model, tensor by tensor",
      "How many gradient entries were compared with a difference of the loss, and the worst relative errors, "
      "whose bars gain a sixth per factor of ten and are full at the bound; a tensor fails beyond it, or if no "
      "entry rises above the noise, or if it is frozen and yet has a gradient.",
      "<div class=\"tall names\">\n" + LedgerTable(findings.ledger) + "</div>\n");
}

std::string IdentitySection(const Findings& findings) {
  if (findings.identities.empty()) return "";
  return report::Section(
      "Statements that must hold whatever the numbers",
      "Each is missed by rounding at most; the bars gain a sixth per factor of ten and are full at the bound, "
      "and a broken statement would go beyond it by many factors.",
      "<div class=\"wrap\">\n" + IdentityTable(findings.identities) + "</div>\n");
}

std::string KernelSection(const Findings& findings) {
  if (findings.kernels.empty()) return "";
  return report::Section(
      "The kernels on every instruction set",
      "The largest rounding error of each kernel as a share of the bound that theory gives for it, the "
      "stronger the blue the closer; a share above 1 cannot come from rounding and would be a wrong kernel, "
      "marked ✗.",
      "<div class=\"names\">\n" + KernelTable(SummarizeKernels(findings)) + "</div>\n");
}

}  // namespace

std::string FormatHtml(const Findings& findings) {
  return report::Page("Gradient audit: " + findings.title,
                      Header(findings) + FailureSection(findings) + OpSections(findings) + FaultSection(findings) +
                          LedgerSection(findings) + IdentitySection(findings) + KernelSection(findings));
}

}  // namespace ampgrad::audit
