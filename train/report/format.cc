#include "train/report/format.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace ampgrad::report {

std::string Format(const char* format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  std::string text(static_cast<size_t>(std::vsnprintf(nullptr, 0, format, args)), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(args);
  va_end(again);
  return text;
}

std::string Scientific(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value == 0 ? "0" : Format("%.1e", value);
}

std::string Decimal(double value) {
  const double size = std::fabs(value);
  const bool short_enough = value == 0 || (size >= 0.001 && size < 1000);
  return short_enough ? Format("%.3f", value) : Scientific(value);
}

double Share(double error, double bound) { return error == 0 ? 0 : error / std::fabs(bound); }

std::string PercentOrDash(double share, int decimals) {
  return std::isfinite(share) ? Format("%.*f %%", decimals, 100 * share) : "-";
}

std::string CsvCell(const std::string& text) {
  std::string cell = "\"";
  for (const char c : text) cell += c == '"' ? "\"\"" : std::string(1, c);
  return cell + "\"";
}

}  // namespace ampgrad::report
