#include "train/report/chart.h"

#include <algorithm>
#include <cmath>

#include "train/report/format.h"
#include "train/report/html.h"
#include "train/report/svg.h"

namespace ampgrad::report {
namespace {

// "0.25", "2000", "2e4".
std::string TickLabel(double value) {
  const double size = std::fabs(value);
  if (size == 0 || (size >= 1e-3 && size < 1e4)) return Format("%.4g", value);
  const int exponent = static_cast<int>(std::floor(std::log10(size) + 1e-9));
  return Format("%.3ge%d", value / std::pow(10, exponent), exponent);
}

}  // namespace

std::string LineKey(const std::string& style, const std::string& text) {
  return Key(SvgPolyline(style, {{0, 8}, {16, 8}}), Escape(text));
}

bool Axis::Holds(double value) const { return std::isfinite(value) && (scale_ != Scale::kLog || value > 0); }

void Axis::Include(double value) {
  if (!Holds(value)) return;
  low_ = empty_ ? value : std::min(low_, value);
  high_ = empty_ ? value : std::max(high_, value);
  empty_ = false;
}

double Axis::Fraction(double value) const {
  if (!Holds(value)) return 0;
  const auto at = [this](double v) { return scale_ == Scale::kLog ? std::log(v) : v; };
  if (!(high_ > low_)) return 0.5;
  return std::clamp((at(value) - at(low_)) / (at(high_) - at(low_)), 0.0, 1.0);
}

std::vector<double> Axis::Ticks(int count) const {
  if (empty_) return {};
  if (scale_ != Scale::kLog) return EvenTicks(count);
  const std::vector<double> ticks = LogTicks(count);
  return ticks.size() < 2 ? EvenTicks(count) : ticks;
}

std::vector<double> Axis::EvenTicks(int count) const {
  if (!(high_ > low_)) return {low_};
  const double rough = (high_ - low_) / count, unit = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * unit;
  for (const double multiple : {5.0, 2.0, 1.0}) {
    if (1.4 * multiple * unit >= rough) step = multiple * unit;
  }
  if (scale_ == Scale::kWhole) step = std::max(1.0, step);
  std::vector<double> ticks;
  const double slack = 1e-9 * step;
  for (double i = std::ceil((low_ - slack) / step); i * step <= high_ + slack; ++i)
    ticks.push_back(i * step + 0.0);  // never −0
  return ticks;
}

std::vector<double> Axis::LogTicks(int count) const {
  const double decades = std::log10(high_ / low_);
  const int step = std::max(1, static_cast<int>(std::ceil(decades / count)));
  const bool fine = decades < 3;
  std::vector<double> ticks;
  for (int d = static_cast<int>(std::floor(std::log10(low_))); d <= std::log10(high_); ++d) {
    if (d % step != 0) continue;
    for (const double multiple : {1.0, 2.0, 5.0}) {
      const double tick = multiple * std::pow(10, d);
      if (multiple > 1 && !fine) break;
      if (tick >= low_ * (1 - 1e-9) && tick <= high_ * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

Chart::Chart(Axis x, Axis y) : Chart(std::move(x), std::move(y), Size{}) {}

Chart::Chart(Axis x, Axis y, Size size)
    : x_(std::move(x)),
      y_(std::move(y)),
      size_(size),
      left_(size.left),
      right_(size.width - 12),
      top_(size.top),
      bottom_(size.height - 44) {}

double Chart::X(double value) const { return left_ + (right_ - left_) * x_.Fraction(value); }

double Chart::Y(double value) const { return bottom_ - (bottom_ - top_) * y_.Fraction(value); }

void Chart::Line(const std::string& style, const Points& points, const std::string& title) {
  std::vector<std::pair<double, double>> pixels;
  for (const auto& [x, y] : points) {
    if (std::isfinite(x) && std::isfinite(y)) pixels.emplace_back(X(x), Y(y));
  }
  if (!pixels.empty()) marks_ += SvgPolyline(style, pixels, title);
}

void Chart::Level(const std::string& style, double y, const std::string& title) {
  if (std::isfinite(y)) marks_ += SvgPolyline(style, {{left_, Y(y)}, {right_, Y(y)}}, title);
}

void Chart::Upright(const std::string& style, double x, const std::string& title) {
  if (std::isfinite(x)) marks_ += SvgPolyline(style, {{X(x), bottom_}, {X(x), top_}}, title);
}

void Chart::Column(const std::vector<double>& xs, size_t i, const std::string& title, const std::string& marks) {
  const double from = i == 0 ? left_ : (X(xs[i - 1]) + X(xs[i])) / 2;
  const double to = i + 1 == xs.size() ? right_ : (X(xs[i]) + X(xs[i + 1])) / 2;
  marks_ += SvgGroup(title, SvgRect("strip", from, top_, to - from, bottom_ - top_) + marks);
}

std::string Chart::Grid() const {
  std::string svg;
  for (const double tick : x_.Ticks(size_.ticks)) {
    svg += SvgLine("grid", X(tick), top_, X(tick), bottom_) +
           SvgText("tick", X(tick), bottom_ + 17, "middle", TickLabel(tick));
  }
  for (const double tick : y_.Ticks(size_.ticks)) {
    svg += SvgLine("grid", left_, Y(tick), right_, Y(tick)) +
           SvgText("tick", left_ - 6, Y(tick) + 4, "end", TickLabel(tick));
  }
  return svg + SvgText("tick", right_, size_.height - 6, "end", x_.name() + " →") +
         SvgText("tick", 2, 12, "start", "↑ " + y_.name());
}

std::string Chart::Svg(const std::string& label) const {
  return OpenSvg(size_.width, size_.height, label, "chart") + Grid() + marks_ + "</svg>\n";
}

}  // namespace ampgrad::report
