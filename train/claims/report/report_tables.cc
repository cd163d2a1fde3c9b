#include "train/claims/report/report_tables.h"

#include <cmath>

#include "train/report/columns.h"
#include "train/report/format.h"
#include "train/report/text_table.h"

namespace ampgrad::train {
namespace {

using report::Format;

// The share in per cent, without decimals from 100 on.
std::string PerCent(double share, int decimals) {
  return Format("%.*f", std::abs(share) >= 0.9995 ? 0 : decimals, 100 * share);
}

std::vector<report::Column> Heads(const ReportTable& table) {
  std::vector<report::Column> heads;
  for (const TableColumn& column : table.columns) heads.push_back(column.head);
  return heads;
}

}  // namespace

std::string ShareText(const Interval& interval, int decimals) {
  if (!interval.HasMean()) return "–";
  const std::string mean = PerCent(interval.mean, decimals);
  if (!interval.HasEnds()) return mean;
  return mean + " (" + PerCent(interval.low, decimals) + " to " + PerCent(interval.high, decimals) + ")";
}

std::string ShortShareText(const Interval& interval, int decimals) {
  if (!interval.HasMean()) return "–";
  const std::string mean = PerCent(interval.mean, decimals);
  return interval.HasEnds() ? mean + Format(" ±%.*f", decimals, 100 * interval.HalfWidth()) : mean;
}

std::string LossText(const Interval& interval) {
  if (!interval.HasMean()) return interval.diverged > 0 ? "diverged" : "–";
  const std::string mean = Format("%.4f", interval.mean);
  // Seeds that all have the same loss, as before training, have no spread but rounding.
  return interval.HasEnds() && interval.HalfWidth() >= 5e-5 ? mean + Format(" ±%.4f", interval.HalfWidth()) : mean;
}

std::string TableText(const ReportTable& table) {
  std::vector<report::TextRow> rows;
  for (const TableRow& row : table.rows) {
    rows.push_back({row.name, {}, row.notes});
    for (const TableCell& cell : row.cells) rows.back().cells.push_back(cell.text);
  }
  std::string text = report::Wrap(table.heading, 2) + "\n";
  if (!rows.empty()) text += report::TextTable(Heads(table), rows);
  if (!table.note.empty()) text += report::Wrap("  " + table.note, 2) + "\n";
  return text + "\n";
}

std::string TableHtml(const ReportTable& table) {
  std::string rows;
  for (const TableRow& row : table.rows) {
    std::string cells;
    for (size_t c = 0; c < row.cells.size(); ++c) {
      std::string html = report::Escape(row.cells[c].text);
      // What a row lacks stands in its last cell.
      for (const std::string& note : row.notes) {
        if (c + 1 == row.cells.size()) html += "<br><small>" + report::Escape(note) + "</small>";
      }
      cells += table.columns[c + 1].head.number ? report::NumberCell(html) : report::Cell(html);
    }
    rows += report::NamedRow(row.name, true, cells);
  }
  const std::string note = table.note.empty() ? "" : "<p class=\"said\">" + report::Escape(table.note) + "</p>\n";
  if (rows.empty()) return "<h3>" + report::Escape(table.heading) + "</h3>\n" + note;
  return "<div class=\"table\">\n" + report::SortableTable(table.heading, Heads(table), rows) + note + "</div>\n";
}

}  // namespace ampgrad::train
