#include "tests/audit/report/text.h"

#include <algorithm>

#include "tests/audit/report/summary.h"
#include "train/report/columns.h"
#include "train/report/format.h"

namespace ampgrad::audit {
namespace {

using report::kColumns;
using report::Left;
using report::LineLength;
using report::Right;
using report::Width;
using report::Wrap;

// Names come from model files: a control character in one must not reach the terminal.
std::string Printable(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    const unsigned char next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool upper_control = c == 0xC2 && next >= 0x80 && next < 0xA0;
    if (upper_control) ++i;
    result += c < 0x20 || c == 0x7F || upper_control ? '?' : text[i];
  }
  return result;
}

// A row of a table: a name and what follows it. A name over `width` gets a line of its own.
std::string Row(const std::string& name, size_t width, const std::string& rest) {
  const std::string printable = Printable(name);
  if (Width(printable) <= width) return Left(printable, width) + rest + "\n";
  return Wrap(printable, 2) + "\n" + std::string(width, ' ') + rest + "\n";
}

std::string Heading(const std::string& text) { return "\n" + Wrap(text, 2) + "\n"; }

std::string Result(bool passed) { return passed ? "ok" : "FAILED"; }

// The width of a column of names, no more than `limit`.
template <class Part>
size_t NameWidth(const std::vector<Part>& parts, std::string Part::*name, size_t limit) {
  size_t width = 8;
  for (const Part& part : parts) width = std::max(width, Width(Printable(part.*name)));
  return std::min(width, limit);
}

std::string OpTable(const Findings& findings) {
  const std::vector<OpSummary> ops = SummarizeOps(findings);
  if (ops.empty()) return "";
  std::string text = Heading(
      "Ops: the worst error of each backward over all shapes and inputs, and how the Taylor "
      "remainder falls");
  const auto rest = [](const std::string& shapes, const std::string& complex_step, const std::string& adjoint,
                       const std::string& slope, const std::string& bound, const std::string& result) {
    return Right(shapes, 7) + Right(complex_step, 13) + Right(adjoint, 9) + Right(slope, 16) + "  " + Left(bound, 9) +
           result;
  };
  const size_t width = NameWidth(ops, &OpSummary::op, 28);
  text += Row("op", width, rest("shapes", "complex step", "adjoint", "slope", "bound", "result"));
  for (const OpSummary& op : ops) {
    text += Row(op.op, width,
                rest(std::to_string(op.shapes), report::Scientific(op.complex_step_error),
                     report::Scientific(op.adjoint_error), op.Slope(), op.Bound() + " ", Result(op.passed)));
  }
  return text;
}

std::string IdentityTable(const Findings& findings) {
  if (findings.identities.empty()) return "";
  std::string text = Heading("Identities: statements that hold exactly or to rounding");
  const auto rest = [](const std::string& error, const std::string& bound, const std::string& result) {
    return Right(error, 9) + Right(bound, 9) + "  " + result;
  };
  std::vector<IdentityFinding> named = findings.identities;
  for (IdentityFinding& finding : named) finding.statement = finding.group + ": " + finding.statement;
  const size_t width = NameWidth(named, &IdentityFinding::statement, 74);
  text += Row("statement", width, rest("error", "bound", "result"));
  for (const IdentityFinding& f : named) {
    text += Row(f.statement, width, rest(report::Scientific(f.error), report::Scientific(f.bound), Result(Holds(f))));
  }
  return text;
}

std::string KernelTable(const Findings& findings) {
  if (findings.kernels.empty()) return "";
  constexpr size_t kTargets = 6;  // that fit side by side
  constexpr size_t kCell = 11;
  const KernelGrid grid = SummarizeKernels(findings);
  std::string text = Heading(
      "Kernels: the largest error on each instruction set as a share of its derived bound, at "
      "most 1");
  const size_t width = NameWidth(findings.kernels, &KernelFinding::kernel, kColumns - kTargets * kCell - 8);
  for (size_t first = 0; first < grid.targets.size(); first += kTargets) {
    const size_t end = std::min(grid.targets.size(), first + kTargets);
    std::string header;
    for (size_t t = first; t < end; ++t) header += " " + Right(Printable(grid.targets[t]), kCell - 1);
    text += Row("kernel", width, header + "  result");
    for (size_t k = 0; k < grid.kernels.size(); ++k) {
      std::string cells;
      bool passed = true;
      for (size_t t = first; t < end; ++t) {
        const std::optional<double> share = grid.shares[k][t];
        cells += Right(share ? report::Decimal(*share) : "-", kCell);
        passed = passed && (!share || Holds(KernelFinding{.target = {}, .kernel = {}, .share = *share}));
      }
      text += Row(grid.kernels[k], width, cells + "  " + Result(passed));
    }
  }
  return text;
}

std::string LedgerTable(const Findings& findings) {
  if (findings.ledger.empty()) return "";
  std::string text = Heading(
      "Ledger: of each tensor, the entries compared with a central difference, those above its noise floor, the "
      "gradient's norm, the worst error of an entry and of a direction, and how far the float build's gradient is off");
  const auto rest = [](const std::string& entries, const std::string& compared, const std::string& above,
                       const std::string& norm, const std::string& entry, const std::string& direction,
                       const std::string& bound, const std::string& in_float, const std::string& result) {
    return Right(entries, 9) + Right(compared, 9) + Right(above, 6) + Right(norm, 8) + Right(entry, 8) +
           Right(direction, 8) + Right(bound, 8) + Right(in_float, 8) + " " + result;
  };
  const size_t width = NameWidth(findings.ledger, &LedgerEntry::tensor, 29);
  text +=
      Row("tensor", width, rest("entries", "compared", "above", "norm", "entry", "direct", "bound", "float", "result"));
  for (const LedgerEntry& f : findings.ledger) {
    const auto number = [&](double value) { return f.trained ? report::Scientific(value) : "-"; };
    text += Row(f.tensor, width,
                rest(std::to_string(f.entries), std::to_string(f.compared), std::to_string(f.above_floor),
                     report::Scientific(f.gradient_norm), number(f.entry_error), number(f.direction_error),
                     number(f.bound), number(f.float_error), Holds(f) && !f.trained ? "frozen" : Result(Holds(f))));
  }
  return text;
}

std::string MutantTable(const Findings& findings) {
  if (findings.mutants.empty()) return "";
  const MutationScore score = ScoreMutants(findings);
  const auto of = [&](Index killed) { return std::to_string(killed) + "/" + std::to_string(score.faults); };
  std::string text = Heading("Planted faults: killed " + of(score.killed) +
                             "; the common check (2e-2 absolute) would have killed " + of(score.common_killed));
  const size_t width = NameWidth(findings.mutants, &MutantFinding::op, 34);
  const size_t indent = width + 22;
  const auto word = [](bool killed) { return Left(killed ? "killed" : "SURVIVED", 10); };
  text += Row("op", width, "  " + Left("audit", 10) + Left("common", 10) + "fault");
  for (const MutantFinding& f : findings.mutants) {
    const std::string row = Row(f.op, width, "  " + word(f.killed) + word(f.common_killed) + Printable(f.fault));
    text += Wrap(row.substr(0, row.size() - 1), indent) + "\n";
  }
  std::string survivors;
  for (const MutantFinding& f : findings.mutants) {
    if (!f.killed) survivors += Wrap("  " + Printable(f.op + ": " + f.fault), 4) + "\n";
  }
  return text + (survivors.empty() ? "survivors: none\n" : "survivors:\n" + survivors);
}

// The failures with their reasons, then one line with the names of the first.
std::string Verdict(const Findings& findings) {
  const std::vector<Failure> failures = Failures(findings);
  if (failures.empty() || CountChecks(findings) == 0) return "\n" + Headline(findings) + "\n";
  constexpr size_t kShown = 10;
  std::string text = "\nFailures\n";
  for (size_t i = 0; i < std::min(failures.size(), kShown); ++i) {
    text += Wrap("  " + Printable(failures[i].check + ": " + failures[i].reason), 4) + "\n";
  }
  if (failures.size() > kShown) text += "  and " + std::to_string(failures.size() - kShown) + " more\n";
  std::string line = Headline(findings) + ": ";
  for (size_t i = 0; i < failures.size(); ++i) {
    const std::string name = Printable(failures[i].check);
    constexpr size_t kTail = 20;  // for "; and 1234 more"
    if (i > 0 && Width(line + name) + kTail > kColumns) {
      line += "; and " + std::to_string(failures.size() - i) + " more";
      break;
    }
    line += (i > 0 ? "; " : "") + name;
  }
  if (Width(line) > kColumns) line = line.substr(0, LineLength(line, 0, kColumns - 1)) + "…";
  return text + "\n" + line + "\n";
}

}  // namespace

std::string FormatText(const Findings& findings) {
  return Wrap("Gradient audit: " + Printable(findings.title) + ", " + report::Format("%.1f s", findings.seconds), 2) +
         "\n" + Wrap("The same again: " + Printable(findings.command), 2) + "\n" + OpTable(findings) +
         IdentityTable(findings) + KernelTable(findings) + LedgerTable(findings) + MutantTable(findings) +
         Verdict(findings);
}

}  // namespace ampgrad::audit
