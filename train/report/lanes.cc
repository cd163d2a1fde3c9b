#include "train/report/lanes.h"

#include <algorithm>
#include <optional>

#include "train/report/format.h"
#include "train/report/svg.h"

namespace ampgrad::report {
namespace {

constexpr double kHeight = 32, kLane = 13;  // pixels of a row, and from lane to lane

double At(std::size_t lane) { return kLane * (static_cast<double>(lane) + 0.6); }

// The node that each lane is on its way to; none for a free lane.
using Lanes = std::vector<std::optional<std::size_t>>;

// The lane that leads to `input`: one that does already, else the first free one beside the main line.
std::size_t LaneTo(std::size_t input, Lanes& lanes) {
  const auto found = std::ranges::find(lanes, std::optional(input));
  if (found != lanes.end()) return static_cast<std::size_t>(found - lanes.begin());
  const auto free = std::find(lanes.begin() + 1, lanes.end(), std::nullopt);
  const std::size_t lane = static_cast<std::size_t>(free - lanes.begin());
  if (free == lanes.end()) lanes.emplace_back();
  lanes[lane] = input;
  return lane;
}

std::string Drawing(const LaneRow& row, bool main, std::size_t lanes) {
  const double x = At(row.lane), middle = kHeight / 2;
  std::string marks;
  const auto line = [&](std::size_t lane, double x1, double y1, double x2, double y2) {
    const bool of_main = lane == 0 && (main || x1 == x2);
    marks += SvgLine(of_main ? "lane main" : "lane", x1, y1, x2, y2);
  };
  for (const std::size_t lane : row.passing) line(lane, At(lane), 0, At(lane), kHeight);
  for (const std::size_t lane : row.ending) line(lane, At(lane), 0, x, middle);
  for (const std::size_t lane : row.starting) line(lane, x, middle, At(lane), kHeight);
  marks += SvgCircle(main ? "knot main" : "knot", x, middle, main ? 5 : 4);
  const double width = At(lanes);
  return Format(R"(<svg class="lanes" viewBox="0 0 %.1f %.0f" width="%.1f" height="%.0f" aria-hidden="true">)", width,
                kHeight, width, kHeight) +
         "\n" + marks + "</svg>";
}

}  // namespace

std::vector<LaneRow> LayLanes(const std::vector<LaneNode>& nodes) {
  std::vector<LaneRow> rows;
  Lanes lanes(1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    LaneRow row{};
    std::vector<std::size_t> ending;
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      if (lanes[lane] == i) ending.push_back(lane);
      if (lanes[lane] && lanes[lane] != i) row.passing.push_back(lane);
    }
    for (const std::size_t lane : ending) lanes[lane].reset();
    row.ending = ending;
    if (!nodes[i].main) row.lane = ending.empty() ? LaneTo(i, lanes) : ending.front();
    if (!nodes[i].main && ending.empty()) lanes[row.lane].reset();
    // The main line goes on to the next main node, whatever lane leads there from elsewhere.
    const auto next = std::find_if(nodes.begin() + static_cast<std::ptrdiff_t>(i) + 1, nodes.end(),
                                   [](const LaneNode& node) { return node.main; });
    for (const std::size_t input : nodes[i].inputs) {
      const bool goes_on =
          nodes[i].main && next != nodes.end() && input == static_cast<std::size_t>(next - nodes.begin());
      if (goes_on) lanes[0] = input;
      row.starting.push_back(goes_on ? 0 : LaneTo(input, lanes));
    }
    std::ranges::sort(row.starting);
    row.starting.erase(std::unique(row.starting.begin(), row.starting.end()), row.starting.end());
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> LaneDrawings(const std::vector<LaneNode>& nodes) {
  const std::vector<LaneRow> rows = LayLanes(nodes);
  std::size_t lanes = 1;
  for (const LaneRow& row : rows) {
    for (const std::size_t lane : row.starting) lanes = std::max(lanes, lane + 1);
    lanes = std::max(lanes, row.lane + 1);
  }
  std::vector<std::string> drawings;
  for (std::size_t i = 0; i < rows.size(); ++i) drawings.push_back(Drawing(rows[i], nodes[i].main, lanes));
  return drawings;
}

}  // namespace ampgrad::report
