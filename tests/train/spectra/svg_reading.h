#pragma once

#include <regex>
#include <string>
#include <vector>

#include "train/report/html.h"

/// What a drawing of a page holds.
namespace ampgrad::train {

inline std::string Attribute(const std::string& tag, const std::string& name) {
  const std::string open = " " + name + "=\"";
  const size_t at = tag.find(open);
  if (at == std::string::npos) return "";
  const size_t begin = at + open.size();
  return tag.substr(begin, tag.find('"', begin) - begin);
}

inline double Pixel(const std::string& tag, const std::string& name) { return std::stod(Attribute(tag, name)); }

/// A strip of a chart: its tooltip, and the tags of its marks.
struct Strip {
  std::string title;
  std::vector<std::string> marks;

  /// The first circle of a style, or "".
  std::string Circle(const std::string& style) const {
    for (const std::string& mark : marks) {
      if (mark.starts_with("<circle class=\"" + style + "\"")) return mark;
    }
    return "";
  }
};

inline std::vector<Strip> Strips(const std::string& svg) {
  std::vector<Strip> strips;
  const std::string open = "<g><title>";
  for (size_t at = svg.find(open); at != std::string::npos; at = svg.find(open, at + 1)) {
    const size_t begin = at + open.size(), end = svg.find("</title>", begin), close = svg.find("</g>", end);
    Strip strip{svg.substr(begin, end - begin), {}};
    for (size_t tag = svg.find('<', end + 1); tag < close; tag = svg.find('<', tag + 1)) {
      strip.marks.push_back(svg.substr(tag, svg.find('>', tag) - tag + 1));
    }
    strips.push_back(strip);
  }
  return strips;
}

/// The pixels of a polyline with this tooltip, and the axis along which they run: 0 or 1.
inline std::vector<double> Polyline(const std::string& svg, const std::string& title, int axis) {
  const size_t end = svg.find("\"><title>" + report::Escape(title) + "</title></polyline>");
  if (end == std::string::npos) return {};
  const size_t begin = svg.rfind('"', end - 1) + 1;
  const std::string points = svg.substr(begin, end - begin);
  std::vector<double> pixels;
  const std::regex pair(R"(([-\d.]+),([-\d.]+))");
  for (std::sregex_iterator it(points.begin(), points.end(), pair), none; it != none; ++it) {
    pixels.push_back(std::stod((*it)[1 + axis]));
  }
  return pixels;
}

}  // namespace ampgrad::train
