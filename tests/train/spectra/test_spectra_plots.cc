#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "ct/spectra/spectrum.h"
#include "tests/support/texts.h"
#include "tests/train/spectra/spectra_example.h"
#include "tests/train/spectra/svg_reading.h"
#include "train/report/format.h"
#include "train/spectra/figure_text.h"
#include "train/spectra/score_plots.h"
#include "train/spectra/spectra_plots.h"

namespace ampgrad::train {
namespace {

using report::Escape;
using report::Format;

// That pixels stand where an even axis through the least and the greatest puts these numbers.
void ExpectEven(const std::vector<double>& pixels, const std::vector<double>& numbers) {
  ASSERT_EQ(pixels.size(), numbers.size());
  const auto [least, most] = std::ranges::minmax_element(numbers);
  const double low = pixels[least - numbers.begin()], high = pixels[most - numbers.begin()];
  EXPECT_GT(std::abs(high - low), 10);
  for (size_t i = 0; i < pixels.size(); ++i) {
    EXPECT_NEAR(pixels[i], low + (high - low) * (numbers[i] - *least) / (*most - *least), 0.11) << i;
  }
}

TEST(SpectraPlots, HoldsEveryEigenvalueOnALogAxis) {
  const ct::ModelSpectra s = MakeSpectra();
  const std::string svg = EigenvaluePlot(s);
  const std::vector<Strip> strips = Strips(svg);
  ASSERT_EQ(strips.size(), s.eigenvalues.size());
  std::vector<double> x, index, y, logs;
  for (size_t i = 0; i < strips.size(); ++i) {
    EXPECT_EQ(strips[i].title,
              Format("λ%zu = %.6g; drawn stack %.6g; edge 150", i + 1, s.eigenvalues[i], s.null_eigenvalues[i]));
    for (const auto& [style, values] : {std::pair{"complex", &s.eigenvalues}, {"chance", &s.null_eigenvalues}}) {
      const std::string circle = strips[i].Circle(style);
      ASSERT_NE(circle, "");
      x.push_back(Pixel(circle, "cx"));
      index.push_back(static_cast<double>(i));
      y.push_back(Pixel(circle, "cy"));
      logs.push_back(std::log((*values)[i]));
    }
  }
  y.push_back(Polyline(svg, "Marchenko–Pastur's edge 150", 1).at(0));
  logs.push_back(std::log(150.0));
  ExpectEven(x, index);
  ExpectEven(y, logs);
  EXPECT_LT(y.front(), y[y.size() - 2]);  // the greatest on top
}

TEST(SpectraPlots, ShowsR2OverEveryK) {
  ct::ModelSpectra s = MakeSpectra();
  s.by_k.at(2).r2.marked = true;
  s.by_k.at(8).r2.marked = false;
  const std::string svg = R2Plot(s, ScaleK(s));
  const std::vector<Strip> strips = Strips(svg);
  ASSERT_EQ(strips.size(), s.eigenvalues.size());
  std::vector<double> own, even, logs;
  for (Index k = 1; k <= s.width; ++k) {
    own.push_back(ct::TopShare(s.eigenvalues, k));
    even.push_back(static_cast<double>(k) / 16);
    logs.push_back(std::log(static_cast<double>(k)));
    EXPECT_TRUE(strips[k - 1].title.starts_with(Format("K = %lld: Σλ share %.6g; K/d %.6g; drawn stack %.6g",
                                                       static_cast<long long>(k), own.back(), even.back(),
                                                       ct::TopShare(s.null_eigenvalues, k))))
        << strips[k - 1].title;
    EXPECT_EQ(strips[k - 1].marks.size(), s.by_k.contains(k) ? 2u : 1u) << k;  // a measured K has a circle
  }
  ExpectEven(Polyline(svg, "top-K share of Σλ", 1), own);
  ExpectEven(Polyline(svg, "top-K share of Σλ", 0), logs);
  ExpectEven(Polyline(svg, "K/d", 1), even);
  for (const auto& [k, style] : {std::pair{Index{2}, "complex"}, {Index{8}, "hollow"}}) {
    const std::string circle = strips[k - 1].Circle(style);
    ASSERT_NE(circle, "") << k;
    EXPECT_NEAR(Pixel(circle, "cy"), Polyline(svg, "top-K share of Σλ", 1)[k - 1], 0.11);
    EXPECT_TRUE(Contains(strips[k - 1].title, Escape("measured R² " + FigureText(s.by_k.at(k).r2))));
  }
  for (const KLaw& law : ScaleK(s).laws) {
    const std::vector<double> x =
        Polyline(svg, law.law + Format(": K = %.6g, Σλ share ", law.k) + ValueText(law.r2), 0);
    ASSERT_EQ(x.size(), 2u) << law.law;
    const double right = Polyline(svg, "K/d", 0).back(), left = Polyline(svg, "K/d", 0).front();
    EXPECT_NEAR(x[0], left + (right - left) * std::log(std::max(1.0, law.k)) / std::log(16.0), 0.11) << law.law;
  }
}

TEST(SpectraPlots, SetsSurvivingLayersApartByTheirSign) {
  const ct::ModelSpectra s = MakeSpectra({.layers = 6});
  const std::vector<Strip> strips = Strips(DepthPlot(s));
  ASSERT_EQ(strips.size(), 6u);
  std::vector<double> y, prs;
  size_t marked = 0;
  for (size_t i = 0; i < strips.size(); ++i) {
    const ct::Figure& pr = s.layers[i].pr_stacked;
    EXPECT_EQ(strips[i].title, Escape(Format("layer %zu: stacked PR ", i) + FigureText(pr) +
                                      "; mean of its matrices' PR " + ValueText(9)));
    const std::string circle = strips[i].Circle(pr.marked ? "complex" : "hollow");
    ASSERT_NE(circle, "") << i;
    y.push_back(Pixel(circle, "cy"));
    prs.push_back(pr.value);
    marked += pr.marked;
  }
  EXPECT_TRUE(marked > 0 && marked < 6);
  ExpectEven(y, prs);
}

TEST(SpectraPlots, ShowsAmplitudePrOverKOnLogAxes) {
  const ct::ModelSpectra s = MakeSpectra({.width = 32, .ks = {2, 4, 16}});
  const KScaling scaling = ScaleK(s);
  const std::string svg = AmplitudePlot(s, scaling);
  const std::vector<Strip> strips = Strips(svg);
  ASSERT_EQ(strips.size(), 32u);
  std::vector<double> leading, log_prs, log_ks;
  for (size_t k = 1; k <= 32; ++k) {
    leading.push_back(s.eigenvalues[k - 1]);
    const double pr = ct::ParticipationRatio(leading);
    log_prs.push_back(std::log(pr));
    log_ks.push_back(std::log(static_cast<double>(k)));
    EXPECT_TRUE(strips[k - 1].title.starts_with(Format("K = %zu: PR of λ₁…λ_K %.6g; drawn stack ", k, pr)));
    EXPECT_TRUE(Contains(strips[k - 1].title, Format("; √K %.6g", std::sqrt(k))));
  }
  ExpectEven(Polyline(svg, "PR of λ₁…λ_K", 0), log_ks);
  ExpectEven(Polyline(svg, "PR of λ₁…λ_K", 1), log_prs);
  std::vector<double> x, y, ks, prs;
  for (const auto& [k, figures] : s.by_k) {
    const std::string circle = strips[k - 1].Circle("complex");
    ASSERT_NE(circle, "");
    EXPECT_TRUE(Contains(strips[k - 1].title, "amplitude PR of all scores " + LongText(figures.amplitude_pr)));
    x.push_back(Pixel(circle, "cx"));
    y.push_back(Pixel(circle, "cy"));
    ks.push_back(std::log(static_cast<double>(k)));
    prs.push_back(std::log(figures.amplitude_pr));
  }
  ExpectEven(x, ks);
  ExpectEven(y, prs);
  EXPECT_TRUE(Contains(svg, Format("K^%.2f (95 %% interval %.2f to %.2f, K = 2 to 16)", scaling.spectrum.exponent,
                                   scaling.spectrum.low, scaling.spectrum.high)));
  // The example's scores follow √K, so its marks lie on that line.
  const std::vector<double> root_x = Polyline(svg, "√K", 0), root_y = Polyline(svg, "√K", 1);
  ASSERT_EQ(root_x.size(), 2u);
  const double slope = (root_y[1] - root_y[0]) / (root_x[1] - root_x[0]);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], root_y[0] + slope * (x[i] - root_x[0]), 0.2);
}

TEST(SpectraPlots, DrawsHistogramsToScale) {
  const ct::ModelSpectra s = MakeSpectra({.layers = 1});
  const std::string svg = std::regex_replace(ScoreHistograms(s), std::regex("&#39;"), "'");
  const std::regex bar("<rect class=\"column\"([^>]*)><title>([-\\d.]+) to [^<]*share ([^;]+); a Gaussian's ([^<]+)<");
  std::vector<double> y, shares;  // of the bars' tops, of their feet, and of the Gaussian
  double gaussian = 0;
  size_t i = 0;
  for (std::sregex_iterator it(svg.begin(), svg.end(), bar), none; it != none; ++it, ++i) {
    const std::vector<double>& histogram = s.matrices.at(i / ct::kHistogramBins).histogram;
    const size_t bin = i % ct::kHistogramBins;
    EXPECT_EQ((*it)[2], Format("%.2f", -4 + static_cast<double>(bin) / 4));
    EXPECT_EQ((*it)[3], LongText(histogram[bin]));
    const double top = Pixel((*it)[1], "y"), height = Pixel((*it)[1], "height");
    y.insert(y.end(), {top, top + height});
    shares.insert(shares.end(), {histogram[bin], 0});
    if (i >= ct::kHistogramBins) continue;
    y.push_back(Polyline(svg, "a Gaussian of the same deviation", 1).at(bin));
    shares.push_back(std::stod((*it)[4]));
    gaussian += shares.back();
  }
  EXPECT_EQ(i, 2u * ct::kHistogramBins);
  EXPECT_NEAR(gaussian, 1, 1e-4);
  ExpectEven(y, shares);
}

TEST(SpectraPlots, ThinsMarksButNoCurve) {
  const ct::ModelSpectra s = MakeSpectra({.layers = 1, .width = 3000});
  const std::string svg = R2Plot(s, ScaleK(s));
  EXPECT_EQ(Polyline(svg, "top-K share of Σλ", 0).size(), 3000u);
  const size_t strips = Strips(svg).size();
  EXPECT_TRUE(strips > 100 && strips < 600) << strips;
  EXPECT_LT(Strips(EigenvaluePlot(s)).size(), 600u);
}

}  // namespace
}  // namespace ampgrad::train
