#pragma once

#include <string>
#include <utility>
#include <vector>

/// Drawings with two axes.
namespace ampgrad::report {

/// A line of a chart and what it stands for, for Legend. `text` is plain.
std::string LineKey(const std::string& style, const std::string& text);

/// The numbers along one side of a chart: from the least to the greatest that were included.
class Axis {
 public:
  enum class Scale { kEven, kWhole, kLog };  // kWhole: even, with ticks at whole numbers only

  Axis(std::string name, Scale scale) : name_(std::move(name)), scale_(scale) {}

  /// Widens the range to hold `value`; what has no place on the axis is ignored.
  void Include(double value);

  const std::string& name() const { return name_; }
  /// 0 at the low end, 1 at the high end; values beyond the axis land on its nearer end.
  double Fraction(double value) const;
  /// Round numbers within the range, about `count` of them.
  std::vector<double> Ticks(int count) const;

 private:
  bool Holds(double value) const;
  std::vector<double> EvenTicks(int count) const;
  std::vector<double> LogTicks(int count) const;

  std::string name_;
  Scale scale_;
  double low_ = 0, high_ = 0;
  bool empty_ = true;
};

/// A chart under way: marks are added, then Svg gives the whole. Everything but Svg takes the axes' numbers, and
/// points that are not finite are left out.
class Chart {
 public:
  struct Size {
    double width = 480, height = 300;
    double left = 52;  // room for the labels of y
    double top = 26;   // room for the name of y
    int ticks = 5;
  };
  using Points = std::vector<std::pair<double, double>>;

  Chart(Axis x, Axis y);
  Chart(Axis x, Axis y, Size size);

  double X(double value) const;
  double Y(double value) const;
  double top() const { return top_; }
  double bottom() const { return bottom_; }

  void Add(const std::string& svg) { marks_ += svg; }
  void Line(const std::string& style, const Points& points, const std::string& title);
  /// A line across the whole chart at a height.
  void Level(const std::string& style, double y, const std::string& title);
  /// A line up the whole chart.
  void Upright(const std::string& style, double x, const std::string& title);
  /// Marks at xs[i], in a strip that reaches halfway to its neighbours and shows the title wherever it is touched.
  void Column(const std::vector<double>& xs, size_t i, const std::string& title, const std::string& marks);

  /// `label` is for screen readers.
  std::string Svg(const std::string& label) const;

 private:
  std::string Grid() const;

  Axis x_, y_;
  Size size_;
  double left_, right_, top_, bottom_;
  std::string marks_;
};

}  // namespace ampgrad::report
