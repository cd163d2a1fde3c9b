#include "train/report/html.h"

#include <algorithm>
#include <cmath>

#include "train/report/format.h"

namespace ampgrad::report {

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

std::string Mark(bool passed) {
  return passed ? R"(<span class="good">✓ ok</span>)" : R"(<span class="bad">✗ FAILED</span>)";
}

std::string Section(const std::string& heading, const std::string& explanation, const std::string& body) {
  return "<section>\n<h2>" + Escape(heading) + "</h2>\n<p>" + explanation + "</p>\n" + body + "</section>\n";
}

std::string Table(const std::string& caption, const std::vector<Column>& columns, const std::string& rows) {
  std::string html = R"(<div class="scroll" role="region" tabindex="0" aria-label=")" + Escape(caption) +
                     "\">\n<table>\n<caption>" + Escape(caption) + "</caption>\n<thead><tr>";
  for (const Column& column : columns) {
    html += std::string(R"(<th scope="col")") + (column.number ? R"( class="number">)" : ">") + Escape(column.title) +
            "</th>";
  }
  return html + "</tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table>\n</div>\n";
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
