#pragma once

#include <string>
#include <utility>
#include <vector>

/// Inline SVG. Colours are classes, so that the page's style decides them for light and dark.
namespace ampgrad::report {

/// Whole powers of ten around numbers, for an axis.
class Decades {
 public:
  /// Widens the range to hold `value`; zero, NaN and infinity have no place on it and are ignored.
  void Include(double value);

  bool empty() const { return low_ > high_; }
  int low() const { return low_; }
  int high() const { return high_; }
  int count() const { return high_ - low_; }

 private:
  int low_ = 1, high_ = 0;
};

/// A log scale from 10^low at pixel `start` to 10^high at pixel `end`.
struct LogAxis {
  int low, high;
  double start, end;

  /// Always a number: values beyond the axis land on its nearer end, zero on the low end, NaN and infinity on the high.
  double At(double value) const;

  /// The powers of ten from one label to the next, so that about `labels` of them fit.
  int Step(int labels) const;
};

/// The opening tag with the size of the drawing, the label for screen readers and the style class.
std::string OpenSvg(double width, double height, const std::string& label, const std::string& style);

std::string SvgLine(const std::string& style, double x1, double y1, double x2, double y2);
/// A mark with a tooltip, if it has a title.
std::string SvgRect(const std::string& style, double x, double y, double width, double height,
                    const std::string& title = "");
/// `anchor` is start, middle or end.
std::string SvgText(const std::string& style, double x, double y, const std::string& anchor, const std::string& text);

/// Marks with a tooltip, if they have a title.
std::string SvgCircle(const std::string& style, double x, double y, double radius, const std::string& title = "");
std::string SvgDiamond(const std::string& style, double x, double y, double radius, const std::string& title = "");
/// A line through pixels.
std::string SvgPolyline(const std::string& style, const std::vector<std::pair<double, double>>& pixels,
                        const std::string& title = "");
/// Marks that share a tooltip. `marks` is SVG.
std::string SvgGroup(const std::string& title, const std::string& marks);

}  // namespace ampgrad::report
