#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "tests/support/texts.h"
#include "tests/train/spectra/spectra_example.h"
#include "train/report/format.h"
#include "train/report/html.h"
#include "train/spectra/figure_text.h"
#include "train/spectra/spectra_maps.h"
#include "train/spectra/spectra_page.h"

namespace ampgrad::train {
namespace {

using report::Escape;
using report::Format;

std::string Page(const ct::ModelSpectra& spectra) {
  return SpectraPage(spectra, ScaleK(spectra), "a model", "ampgrad analyze --model M");
}

// A cell of a heat map.
struct MapCell {
  double shade;
  bool star;
};

std::map<std::string, MapCell> MapCells(const std::string& html) {
  std::map<std::string, MapCell> cells;
  const std::regex cell("<td class=\"heat\" style=\"--s:([\\d.]+)\" title=\"([^\"]*)\">((?:★)?)</td>");
  for (std::sregex_iterator it(html.begin(), html.end(), cell), none; it != none; ++it) {
    EXPECT_FALSE(cells.contains((*it)[2])) << (*it)[2];
    cells[(*it)[2]] = {std::stod((*it)[1]), (*it)[3].length() > 0};
  }
  return cells;
}

// What a heat map should show: the figure of each matrix by its tooltip.
std::map<std::string, ct::Figure> ExpectedCells(const ct::ModelSpectra& s, const std::string& name, Index k,
                                                ct::Figure ct::MatrixScores::*figure) {
  std::map<std::string, ct::Figure> expected;
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    const ct::Figure& f = figure ? matrix.by_k.at(k).*figure : name == "strength" ? matrix.strength : matrix.weight_pr;
    expected[Escape(matrix.name + ", " + name + ": " + FigureText(f))] = f;
  }
  return expected;
}

TEST(SpectraPage, MarksInHeatMapsExactlyWhatSurvives) {
  const ct::ModelSpectra s = MakeSpectra();
  const std::string html = HeatMaps(s);
  const std::map<std::string, MapCell> cells = MapCells(html);
  std::vector<std::map<std::string, ct::Figure>> maps = {ExpectedCells(s, "weight PR", 0, nullptr),
                                                         ExpectedCells(s, "strength", 0, nullptr)};
  for (const Index k : {Index{2}, Index{8}}) {
    for (const ScoreFigure& score : ScoreFigures()) {
      maps.push_back(ExpectedCells(s, score.name + Format(", K = %lld", static_cast<long long>(k)), k, score.figure));
    }
  }
  size_t seen = 0;
  for (const auto& expected : maps) {
    std::vector<double> shades, values;
    for (const auto& [title, figure] : expected) {
      ASSERT_TRUE(cells.contains(title)) << title;
      EXPECT_EQ(cells.at(title).star, figure.marked) << title;
      shades.push_back(cells.at(title).shade);
      values.push_back(figure.value);
      ++seen;
    }
    const auto [least, most] = std::ranges::minmax(values);
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(shades[i], 0.08 + 0.92 * (values[i] - least) / (most - least), 6e-4);
    }
  }
  EXPECT_EQ(seen, cells.size());
  EXPECT_EQ(Occurrences(html, "<option"), maps.size() + 1);
}

TEST(SpectraPage, GivesASecondMatrixOfAKindItsOwnRow) {
  ct::ModelSpectra s = MakeSpectra({.layers = 1});
  s.matrices[1].type = s.matrices[0].type;
  EXPECT_EQ(MapCells(HeatMaps(s)).size(), 2u * 14);
  s.matrices[1].layer = -1;
  EXPECT_TRUE(Contains(HeatMaps(s), ">none</th>"));
}

TEST(SpectraPage, CountsWhatWasTested) {
  const ct::ModelSpectra s = MakeSpectra();
  const FigureCounts counts = CountFigures(s);
  const std::string html = Page(s);
  EXPECT_TRUE(Contains(html, Format("%d of %d figures show more", counts.marked, counts.tested)));
  EXPECT_TRUE(Contains(html, Format("chance alone would put about %d there", counts.expected())));
  EXPECT_TRUE(Contains(html, "ampgrad analyze --model M"));
  EXPECT_EQ(counts.tested, 2 + 6 * 14 + 2 * 3 + 2 * 3 + 2);
  EXPECT_EQ(counts.marked, (counts.tested - 2) / 4);  // every fourth, and neither τ
}

TEST(SpectraPage, HasEveryFigureInATableThatSorts) {
  const ct::ModelSpectra s = MakeSpectra();
  const std::string html = Page(s);
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    for (const auto& [k, f] : matrix.by_k) {
      for (const ScoreFigure& score : ScoreFigures()) {
        const ct::Figure& figure = f.*score.figure;
        EXPECT_TRUE(Contains(html, "<td class=\"number\" title=\"" + Escape(FigureText(figure)) + "\">" +
                                       ValueText(figure.value) + "<span class=\"star\">" + (figure.marked ? "★" : "") +
                                       "</span></td>"));
      }
    }
  }
  // Every table but the heat maps.
  const size_t tables = Occurrences(html, "<table>") - Occurrences(html, "class=\"map\"");
  EXPECT_EQ(tables, 10u);
  EXPECT_EQ(Occurrences(html, "<th scope=\"col\"><button type=\"button\">"),
            tables + 1);  // of names; one has labels too
  EXPECT_GT(Occurrences(html, "<th scope=\"col\" class=\"number\"><button type=\"button\">"), 40u);
  EXPECT_TRUE(Contains(html, "aria-sort"));
}

TEST(SpectraPage, EscapesNames) {
  const std::string name = "<b onclick=\"x\">&'";
  const ct::ModelSpectra s = MakeSpectra({.kinds = {name}});
  const std::string html = SpectraPage(s, ScaleK(s), name, "ampgrad analyze --model " + name);
  EXPECT_FALSE(Contains(html, "<b onclick"));
  EXPECT_FALSE(Contains(html, "x\">&'"));
  EXPECT_TRUE(Contains(html, "&lt;b onclick=&quot;x&quot;&gt;&amp;&#39;"));
}

TEST(SpectraPage, IsOnePageThatNeedsNothingElse) {
  const std::string html = Page(MakeSpectra());
  for (const char* part :
       {"http:", "https:", "<script ", "<link", "<img", "@import", "url(", "src=", "href=", "fetch("}) {
    EXPECT_FALSE(Contains(html, part)) << part;
  }
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
}

// That every element is closed in the order in which it was opened.
void ExpectBalanced(const std::string& html) {
  std::vector<std::string> open;
  const std::string body = html.substr(html.find("<body>"), html.find("<script>") - html.find("<body>"));
  const std::regex tag("<(/?)([a-z][a-z0-9]*)[^>]*?(/?)>");
  for (std::sregex_iterator it(body.begin(), body.end(), tag), none; it != none; ++it) {
    const std::string name = (*it)[2];
    if ((*it)[3].length() > 0 || name == "wbr" || name == "br") continue;
    if ((*it)[1].length() == 0) {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty());
    ASSERT_EQ(open.back(), name) << body.substr(static_cast<size_t>(it->position()), 80);
    open.pop_back();
  }
  EXPECT_EQ(open, std::vector<std::string>{"body"});
}

TEST(SpectraPage, ClosesEveryElement) { ExpectBalanced(Page(MakeSpectra())); }

TEST(SpectraPage, SaysWhenNothingWasTested) {
  const ct::ModelSpectra s = MakeSpectra({.nulls = false});
  const std::string html = Page(s);
  EXPECT_TRUE(Contains(html, "No figure was tested against chance"));
  EXPECT_EQ(Occurrences(html, "★"), 1u);  // in what explains it
  for (const char* number : {"=\"nan", "=\"-nan", "=\"inf", "--s:nan", ",nan", ",-nan", " nan"}) {
    EXPECT_FALSE(Contains(html, number)) << number;
  }
  ExpectBalanced(html);
}

TEST(SpectraPage, ShowsWhatHasNoLayersNoSpreadAndNoRank) {
  ct::ModelSpectra s = MakeSpectra({.layers = 1, .ks = {1}});
  s.layers.clear();
  s.depth.clear();
  for (size_t i = 1; i < s.eigenvalues.size(); ++i) s.eigenvalues[i] = i < 3 ? 1e-14 : 0;
  const std::string html = Page(s);
  EXPECT_FALSE(Contains(html, "From layer to layer"));
  for (const char* number : {"=\"nan", "=\"-nan", "=\"inf", ",nan", ",-nan"})
    EXPECT_FALSE(Contains(html, number)) << number;
  ExpectBalanced(html);
}

TEST(SpectraPage, EndsWithWhatOthersAdd) {
  const ct::ModelSpectra s = MakeSpectra();
  const std::string html = SpectraPage(s, ScaleK(s), "", "", {"<section>one</section>\n", "<section>two</section>\n"});
  EXPECT_TRUE(Contains(html, "<section>one</section>\n<section>two</section>\n</main>"));
}

}  // namespace
}  // namespace ampgrad::train
