#include "train/report/svg.h"

#include <algorithm>
#include <cmath>

#include "train/report/format.h"
#include "train/report/html.h"

namespace ampgrad::report {
namespace {

// Exponents are limited to this range, so that absurd errors stay on the drawing.
constexpr double kMinExponent = -30, kMaxExponent = 10;

std::string Attribute(const char* name, double value) { return Format(" %s=\"%.1f\"", name, value); }

std::string Open(const char* element, const std::string& style) {
  return std::string("<") + element + " class=\"" + style + "\"";
}

std::string WithTitle(const std::string& open, const char* element, const std::string& title) {
  if (title.empty()) return open + "/>\n";
  return open + "><title>" + Escape(title) + "</title></" + element + ">\n";
}

}  // namespace

void Decades::Include(double value) {
  if (!(value > 0) || std::isinf(value)) return;
  const double exponent = std::clamp(std::log10(value), kMinExponent, kMaxExponent);
  const int low = static_cast<int>(std::floor(exponent)), high = static_cast<int>(std::ceil(exponent));
  const bool first = empty();
  low_ = first ? low : std::min(low_, low);
  high_ = first ? high : std::max(high_, high);
}

double LogAxis::At(double value) const {
  if (!std::isfinite(value)) return end;
  if (value <= 0) return start;
  const double fraction = (std::log10(value) - low) / std::max(1, high - low);
  return start + (end - start) * std::clamp(fraction, 0.0, 1.0);
}

int LogAxis::Step(int labels) const { return std::max(1, (high - low + labels - 1) / labels); }

std::string OpenSvg(double width, double height, const std::string& label, const std::string& style) {
  return Open("svg", style) + Format(" viewBox=\"0 0 %.0f %.0f\"", width, height) + R"( role="img" aria-label=")" +
         Escape(label) + "\">\n<title>" + Escape(label) + "</title>\n";
}

std::string SvgLine(const std::string& style, double x1, double y1, double x2, double y2) {
  return Open("line", style) + Attribute("x1", x1) + Attribute("y1", y1) + Attribute("x2", x2) + Attribute("y2", y2) +
         "/>\n";
}

std::string SvgRect(const std::string& style, double x, double y, double width, double height,
                    const std::string& title) {
  return WithTitle(Open("rect", style) + Attribute("x", x) + Attribute("y", y) + Attribute("width", width) +
                       Attribute("height", height),
                   "rect", title);
}

std::string SvgText(const std::string& style, double x, double y, const std::string& anchor, const std::string& text) {
  return Open("text", style) + Attribute("x", x) + Attribute("y", y) + " text-anchor=\"" + anchor + "\">" +
         Escape(text) + "</text>\n";
}

std::string SvgCircle(const std::string& style, double x, double y, double radius, const std::string& title) {
  return WithTitle(Open("circle", style) + Attribute("cx", x) + Attribute("cy", y) + Attribute("r", radius), "circle",
                   title);
}

std::string SvgDiamond(const std::string& style, double x, double y, double radius, const std::string& title) {
  const std::string points =
      Format("%.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f", x, y - radius, x + radius, y, x, y + radius, x - radius, y);
  return WithTitle(Open("polygon", style) + " points=\"" + points + "\"", "polygon", title);
}

std::string SvgPolyline(const std::string& style, const std::vector<std::pair<double, double>>& pixels,
                        const std::string& title) {
  std::string points;
  for (const auto& [x, y] : pixels) points += (points.empty() ? "" : " ") + Format("%.1f,%.1f", x, y);
  return WithTitle(Open("polyline", style) + " points=\"" + points + "\"", "polyline", title);
}

std::string SvgGroup(const std::string& title, const std::string& marks) {
  return "<g><title>" + Escape(title) + "</title>\n" + marks + "</g>\n";
}

}  // namespace ampgrad::report
