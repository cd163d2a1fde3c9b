#include "tests/audit/report/tables.h"

#include <algorithm>
#include <cmath>

#include "train/report/format.h"
#include "train/report/html.h"

namespace ampgrad::audit {
namespace {

double Fraction(Index part, Index whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// 38597376 as 38,597,376.
std::string Thousands(Index value) {
  std::string text = std::to_string(value);
  const size_t first = value < 0 ? 1 : 0;
  for (size_t i = text.size(); i > first + 3;) text.insert(i -= 3, ",");
  return text;
}

std::string Squares(const std::vector<MutantFinding>& mutants, const std::string& who, bool MutantFinding::*killed) {
  std::string squares;
  Index count = 0;
  for (const MutantFinding& m : mutants) {
    count += m.*killed;
    squares += std::string("<li class=\"") + (m.*killed ? "caught" : "missed") + "\" title=\"" +
               report::Escape(m.op + ": " + m.fault) + "\">" + (m.*killed ? "✓" : "✗") + "</li>";
  }
  const std::string score = who + ": " + std::to_string(count) + " of " + std::to_string(mutants.size()) + " noticed";
  return "<h3>" + score + "</h3>\n<ul class=\"squares\" aria-label=\"" + score + "\">" + squares + "</ul>\n";
}

std::string Noticed(const std::string& who, bool killed) {
  return (killed ? "✓ " : "✗ ") + who + (killed ? " killed it" : ": survived") + "</span>";
}

std::string KernelCell(const std::optional<double>& share) {
  if (!share) return report::NumberCell("–");
  const bool passed = Holds(KernelFinding{.target = {}, .kernel = {}, .share = *share});
  if (!passed) return R"(<td class="number heat over">✗ )" + report::Decimal(*share) + "</td>";
  const double heat = std::sqrt(std::clamp(*share, 0.0, 1.0));  // so that small shares differ in shade too
  return "<td class=\"number heat\" style=\"--s:" + report::Format("%.2f", heat) + "\">" + report::Decimal(*share) +
         "</td>";
}

}  // namespace

std::string OpTable(const std::vector<OpSummary>& ops) {
  std::string rows;
  for (const OpSummary& op : ops) {
    rows += report::NamedRow(
        op.op, op.passed,
        report::NumberCell(std::to_string(op.shapes)) + report::ErrorCell(op.complex_step_error, op.greatest_bound) +
            report::ErrorCell(op.adjoint_error, op.greatest_bound) + report::NumberCell(op.Bound()) +
            report::NumberCell(op.Slope()) + report::Cell(report::Mark(op.passed)));
  }
  return report::Table("The worst error of each op over all its shapes and inputs",
                       {{"op"},
                        {"shapes", true},
                        {"complex step", true},
                        {"adjoint", true},
                        {"bound", true},
                        {"Taylor slope", true},
                        {"result"}},
                       rows);
}

std::string FaultSquares(const std::vector<MutantFinding>& mutants) {
  return Squares(mutants, "This audit", &MutantFinding::killed) +
         Squares(mutants, "The common check", &MutantFinding::common_killed);
}

std::string FaultGrid(const std::vector<MutantFinding>& mutants) {
  std::string items;
  for (const MutantFinding& m : mutants) {
    items += std::string(m.killed ? "<li>" : R"(<li class="failed">)") + "<b>" + report::Escape(m.op) + "</b> " +
             report::Escape(m.fault) + "<div><span class=\"badge " + (m.killed ? "good" : "bad") + "\">" +
             Noticed("audit", m.killed) + "<span class=\"badge\">" + Noticed("common check", m.common_killed) +
             "</div></li>\n";
  }
  return "<ul class=\"faults\">\n" + items + "</ul>\n";
}

std::string LedgerTable(const std::vector<LedgerEntry>& ledger) {
  std::string rows;
  for (const LedgerEntry& e : ledger) {
    const std::string numbers = report::NumberCell(Thousands(e.entries)) +
                                report::BarCell(Thousands(e.compared), Fraction(e.compared, e.entries)) +
                                report::BarCell(Thousands(e.above_floor), Fraction(e.above_floor, e.compared),
                                                !e.trained || e.above_floor > 0) +
                                report::NumberCell(report::Scientific(e.gradient_norm));
    const std::string errors =
        e.trained
            ? report::ErrorCell(e.entry_error, e.bound) + report::ErrorCell(e.direction_error, e.bound) +
                  report::NumberCell(report::Scientific(e.bound)) + report::ErrorCell(e.float_error, e.float_bound)
            : report::NumberCell("–") + report::NumberCell("–") + report::NumberCell("–") + report::NumberCell("–");
    const bool passed = Holds(e);
    rows += report::NamedRow(
        e.tensor, passed,
        numbers + errors +
            report::Cell(passed && !e.trained ? "<span class=\"good\">✓ frozen</span>" : report::Mark(passed)));
  }
  return report::Table("The " + std::to_string(ledger.size()) + " parameter tensors of the model",
                       {{"tensor"},
                        {"entries", true},
                        {"compared", true},
                        {"above noise", true},
                        {"gradient norm", true},
                        {"worst entry", true},
                        {"worst direction", true},
                        {"bound", true},
                        {"float build", true},
                        {"result"}},
                       rows);
}

std::string IdentityTable(const std::vector<IdentityFinding>& identities) {
  std::string rows;
  for (const IdentityFinding& f : identities) {
    rows +=
        report::NamedRow(f.statement, Holds(f),
                         report::Cell(report::Escape(f.group)) + report::ErrorCell(f.error, f.bound) +
                             report::NumberCell(report::Scientific(f.bound)) + report::Cell(report::Mark(Holds(f))));
  }
  return report::Table("Statements and by how much each is missed",
                       {{"statement"}, {"about"}, {"error", true}, {"bound", true}, {"result"}}, rows);
}

std::string KernelTable(const KernelGrid& grid) {
  std::vector<report::Column> columns = {{"kernel"}};
  for (const std::string& target : grid.targets) columns.push_back({target, true});
  std::string rows;
  for (size_t k = 0; k < grid.kernels.size(); ++k) {
    std::string cells;
    for (const std::optional<double>& share : grid.shares[k]) cells += KernelCell(share);
    rows += report::NamedRow(grid.kernels[k], true, cells);
  }
  return report::Table("The largest error as a share of its bound, by instruction set", columns, rows);
}

}  // namespace ampgrad::audit
