#include "train/report/html.h"

#include <algorithm>
#include <cmath>

#include "train/report/format.h"
#include "train/report/style.h"

namespace ampgrad::report {
namespace {

std::string MakeTable(const std::string& caption, const std::vector<Column>& columns, const std::string& rows,
                      bool sortable) {
  std::string html = R"(<div class="scroll" role="region" tabindex="0" aria-label=")" + Escape(caption) +
                     "\">\n<table>\n<caption>" + Escape(caption) + "</caption>\n<thead><tr>";
  for (const Column& column : columns) {
    const std::string title = Escape(column.title);
    html += std::string(R"(<th scope="col")") + (column.number ? R"( class="number">)" : ">") +
            (sortable ? R"(<button type="button">)" + title + "</button>" : title) + "</th>";
  }
  return html + "</tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table>\n</div>\n";
}

}  // namespace

std::string Escape(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        // Control characters are not allowed in HTML, not even escaped.
        result += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    }
  }
  return result;
}

std::string Page(const std::string& title, const std::string& body, const std::string& script) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         Escape(title) + "</title>\n<style>" + kReportStyle + "</style>\n</head>\n<body>\n<main>\n" + body +
         "</main>\n" + (script.empty() ? "" : "<script>" + script + "</script>\n") + "</body>\n</html>\n";
}

std::string Mark(bool passed) {
  return passed ? R"(<span class="good">✓ ok</span>)" : R"(<span class="bad">✗ FAILED</span>)";
}

std::string Section(const std::string& heading, const std::string& explanation, const std::string& body) {
  return "<section>\n<h2>" + Escape(heading) + "</h2>\n<p>" + explanation + "</p>\n" + body + "</section>\n";
}

std::string Fact(const std::string& what, const std::string& figure, const std::string& note) {
  return "<div><dt>" + what + "</dt><dd>" + figure + "<small>" + note + "</small></dd></div>\n";
}

std::string Key(const std::string& marks, const std::string& text) {
  return R"(<li><svg class="key" viewBox="0 0 16 16" aria-hidden="true">)" + marks + "</svg> " + text + "</li>\n";
}

std::string Legend(const std::string& keys) { return "<ul class=\"legend\">\n" + keys + "</ul>\n"; }

std::string Table(const std::string& caption, const std::vector<Column>& columns, const std::string& rows) {
  return MakeTable(caption, columns, rows, false);
}

std::string SortableTable(const std::string& caption, const std::vector<Column>& columns, const std::string& rows) {
  return MakeTable(caption, columns, rows, true);
}

std::string NamedRow(const std::string& name, bool passed, const std::string& cells) {
  return std::string(passed ? R"(<tr><th scope="row">)" : R"(<tr class="failed"><th scope="row">✗ )") + Escape(name) +
         "</th>" + cells + "</tr>\n";
}

std::string Cell(const std::string& html) { return "<td>" + html + "</td>"; }

std::string NumberCell(const std::string& html) { return R"(<td class="number">)" + html + "</td>"; }

std::string BarCell(const std::string& html, double fraction, bool passed) {
  const double width = std::isnan(fraction) ? 1 : std::clamp(fraction, 0.0, 1.0);
  return std::string(R"(<td class="number bar)") + (passed ? "" : " over") +
         "\" style=\"--w:" + Format("%.1f%%", 100 * width) + "\">" + html + "</td>";
}

std::string ErrorCell(double error, double bound) {
  constexpr double kDecades = 6;
  const double share = Share(error, bound);
  const double fraction = share > 0 ? 1 + std::log10(share) / kDecades : share;
  return BarCell(Scientific(error), fraction, error <= bound && std::isfinite(error));
}

}  // namespace ampgrad::report
