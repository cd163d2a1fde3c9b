#include "train/report/grouped.h"

#include <cmath>

#include "train/report/format.h"

namespace ampgrad::report {

std::string Grouped(Index count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    const bool boundary = i > 0 && digits[i - 1] != '-' && (digits.size() - i) % 3 == 0;
    if (boundary) text += ',';
    text += digits[i];
  }
  return text;
}

std::string Percent(double share) { return Format("%.4g %%", 100 * share); }

std::string Times(double ratio) { return (ratio >= 1e4 ? Grouped(std::llround(ratio)) : Format("%.4g", ratio)) + " ×"; }

std::string Bytes(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  // 999.5 would be printed as 1e+03.
  for (; bytes >= 999.5 && unit < 4; ++unit) bytes /= 1000;
  return Format(bytes >= 999.5 ? "%.0f %s" : "%.3g %s", bytes, units[unit]);
}

}  // namespace ampgrad::report
