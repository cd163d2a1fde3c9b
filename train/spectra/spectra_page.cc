#include "train/spectra/spectra_page.h"

#include "train/report/format.h"
#include "train/report/html.h"
#include "train/report/script.h"
#include "train/spectra/figure_text.h"
#include "train/spectra/labels.h"
#include "train/spectra/score_plots.h"
#include "train/spectra/spectra_maps.h"
#include "train/spectra/spectra_plots.h"
#include "train/spectra/spectra_tables.h"

namespace ampgrad::train {
namespace {

using report::Escape;
using report::Fact;
using report::Format;
using report::Section;

std::string Header(const ct::ModelSpectra& s, const std::string& title, const std::string& command) {
  const FigureCounts counts = CountFigures(s);
  const std::string verdict = counts.tested == 0 ? "No figure was tested against chance"
                                                 : Format("%d of %d figures show more structure than chance gives",
                                                          counts.marked, counts.tested);
  std::string facts =
      Fact("rows", std::to_string(s.rows),
           Format("of width %lld, from %zu matrices", static_cast<long long>(s.width), s.matrices.size()));
  if (counts.tested > 0) {
    facts += Fact("figures tested", std::to_string(counts.tested), "each against a level of chance") +
             Fact("beyond the 95 % level", std::to_string(counts.exceeding),
                  Format("chance alone would put about %d there", counts.expected())) +
             Fact("survive", std::to_string(counts.marked),
                  "Holm&#39;s correction for all tests at once; they bear a ★, and with probability 0.95 chance alone "
                  "marks none");
  }
  return "<header>\n<h1>What the weights say: " + Escape(title) + "</h1>\n<p class=\"verdict plain\">" + verdict +
         "</p>\n<dl class=\"facts\">\n" + facts + "</dl>\n<p>The same again: <code>" + Escape(command) +
         "</code></p>\n</header>\n";
}

std::string Charts(const std::string& figures) { return "<div class=\"charts\">\n" + figures + "</div>\n"; }

std::string WholeSection(const ct::ModelSpectra& s, const KScaling& scaling) {
  std::string chance = "No level of chance was drawn.";
  if (s.stack_draws > 0) {
    chance = s.drawn_rows
                 ? Format("Chance is %d stacks whose rows keep their norms and get random directions.", s.stack_draws)
                 : "Chance is one stack of Gaussian rows of like norms, so the whole is not tested.";
  }
  return Section(
      "The spectrum of all rows",
      "How much of the rows lies in few directions, and how much of that rows without structure would show. " + chance,
      Charts(EigenvaluePlot(s) + R2Plot(s, scaling)) + WholeTable(s) + KTable(s) + AlignmentTable(s));
}

std::string DepthSection(const ct::ModelSpectra& s) {
  if (s.layers.empty()) return "";
  return Section("From layer to layer",
                 "The fewer directions a layer's rows share, the lower its participation ratio (PR) stands below "
                 "chance; a trend with depth shows in Kendall's τ.",
                 Charts(DepthPlot(s) + "<div>\n" + DepthTable(s) + "</div>\n") + "<div class=\"tall\">\n" +
                     LayerTable(s) + "</div>\n");
}

std::string ScoreSection(const ct::ModelSpectra& s) {
  const std::string table = LabelTable(s);
  const std::string labels =
      table.empty() ? "" : "<h3>The papers&#39; labels</h3>\n<p>" + Escape(kLabelRule) + "</p>\n" + table;
  return Section("The scores, by kind of matrix",
                 "How the scores S of all matrices of a kind are spread; many small ones beside few great ones make a "
                 "peak that no Gaussian has.",
                 ScoreHistograms(s) + labels);
}

std::string MatrixSection(const ct::ModelSpectra& s) {
  std::string tables;
  for (const auto& [k, figures] : s.by_k) {
    tables += Format("<details class=\"tall names\"><summary>Every matrix at K = %lld as numbers</summary>\n",
                     static_cast<long long>(k)) +
              MatrixTable(s, k) + "</details>\n";
  }
  return Section(
      "Matrix by matrix",
      "A kind of matrix to a row, a layer to a column, the stronger the blue the greater the figure; a ★ marks "
      "what survives Holm's correction. Hover over a cell, or tap it, for its numbers.",
      HeatMaps(s) + tables);
}

std::string ScalingSection(const ct::ModelSpectra& s, const KScaling& scaling) {
  return Section("How K scales",
                 "What the papers' laws say of this width, and what the spectrum itself asks for. By the universal "
                 "basis the PR of all scores is a function of the weights' spectrum alone; that of single matrices is "
                 "not.",
                 Charts(AmplitudePlot(s, scaling) + "<div>\n" + LawTable(scaling) + NeedTable(scaling) + "</div>\n"));
}

}  // namespace

std::string SpectraPage(const ct::ModelSpectra& spectra, const KScaling& scaling, const std::string& title,
                        const std::string& command, const std::vector<std::string>& more_sections) {
  std::string body = Header(spectra, title, command) + WholeSection(spectra, scaling) + DepthSection(spectra) +
                     ScoreSection(spectra) + MatrixSection(spectra) + ScalingSection(spectra, scaling);
  for (const std::string& section : more_sections) body += section;
  return report::Page("What the weights say: " + title, body, report::kReportScript);
}

}  // namespace ampgrad::train
