#include "train/claims/report/table_cells.h"

#include <cmath>

#include "train/claims/finding.h"
#include "train/report/format.h"
#include "train/report/grouped.h"

namespace ampgrad::train {

using report::Format;

TableCell Words(std::string text) { return {std::move(text), {}}; }

TableCell Number(double value, const char* format) {
  return {std::isnan(value) ? "–" : Format(format, value), Plain("", value).interval};
}
TableCell Count(Index count) { return {report::Grouped(count), Plain("", static_cast<double>(count)).interval}; }

TableCell Percent(double share, const char* format) {
  return {std::isnan(share) ? "–" : Format(format, 100 * share), Plain("", share).interval};
}
TableCell Loss(const Interval& interval) { return {LossText(interval), interval}; }

TableCell ShareCell(const Interval& interval, int decimals) { return {ShareText(interval, decimals), interval}; }

TableCell Short(const Interval& interval, int decimals) { return {ShortShareText(interval, decimals), interval}; }

TableCell Spread(const Interval& i, const char* mean, const char* half) {
  if (!i.HasMean()) return {"–", i};
  return {Format(mean, i.mean) + (i.HasEnds() ? Format(half, i.HalfWidth()) : ""), i};
}
TableCell Change(const Interval& interval) { return Spread(interval, "%+.4f", " ±%.4f"); }

// What a row lacks: seeds of its losses or of its efficiency, or the reason why that is not printed.
std::vector<std::string> Lacks(const Interval& loss, const Interval& efficiency) {
  const auto lacks = [](const Interval& interval) { return interval.missing > 0 || interval.diverged > 0; };
  std::vector<std::string> notes;
  if (lacks(loss)) notes.push_back(DescribeSeeds(loss));
  const bool other = efficiency.missing != loss.missing || efficiency.diverged != loss.diverged;
  if (lacks(efficiency) && other) notes.push_back("efficiency: " + DescribeSeeds(efficiency));
  if (loss.HasMean() && !efficiency.HasMean()) notes.push_back("efficiency: " + efficiency.why);
  return notes;
}

double PartOf(const StudyInput& study, Index k) {
  return study.width > 0 ? static_cast<double>(k) / static_cast<double>(study.width) : NAN;
}

}  // namespace ampgrad::train
