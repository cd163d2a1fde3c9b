#include "train/spectra/figure_text.h"

#include <cmath>

#include "train/report/format.h"

namespace ampgrad::train {

using report::Format;

std::string ValueText(double value) {
  if (std::isnan(value)) return "–";
  const double size = std::abs(value);
  return Format(size >= 1000 ? "%.0f" : size >= 100 ? "%.1f" : size >= 10 ? "%.2f" : "%.4f", value);
}

std::string LongText(double value) { return std::isnan(value) ? "–" : Format("%.6g", value); }

std::string ChanceText(const ct::Figure& figure) {
  if (std::isnan(figure.null) && !figure.tested()) return "no level of chance";
  std::string text = std::isnan(figure.null) ? "" : "chance " + ValueText(figure.null);
  if (!figure.tested()) return text + ", not tested";
  if (!std::isnan(figure.level)) text += (text.empty() ? "" : ", ") + ("95 % level " + ValueText(figure.level));
  return text + (text.empty() ? "p " : ", p ") + Format("%.2g", figure.p);
}

std::string FigureText(const ct::Figure& figure) {
  const char* verdict = figure.marked     ? "; ★ survives Holm's correction"
                        : figure.tested() ? "; does not survive Holm's correction"
                                          : "";
  return ValueText(figure.value) + "; " + ChanceText(figure) + verdict;
}

std::string FigureInSentence(const ct::Figure& figure) {
  const char* verdict = figure.marked     ? "; it survives Holm's correction"
                        : figure.tested() ? "; it does not survive Holm's correction"
                                          : "";
  return ValueText(figure.value) + " (" + ChanceText(figure) + verdict + ")";
}

void FigureCounts::Count(const ct::Figure& figure) {
  tested += figure.tested();
  exceeding += figure.tested() && figure.Exceeds();
  marked += figure.marked;
}

FigureCounts CountFigures(const ct::ModelSpectra& spectra) {
  ct::ModelSpectra copy = spectra;  // what gives the figures gives them to be changed
  FigureCounts counts;
  for (const ct::Figure* figure : copy.Figures()) counts.Count(*figure);
  return counts;
}

const std::vector<ScoreFigure>& ScoreFigures() {
  using Scores = ct::MatrixScores;
  static const std::vector<ScoreFigure> figures = {
      {"R²", &Scores::r2, "the R² of rows with the same norms and random directions, by their own basis"},
      {"amplitude PR", &Scores::amplitude_pr,
       "the PR of the same scores with each column permuted, which structure lowers"},
      {"PC1", &Scores::pc1, "the PC1 of the same scores with each column permuted"},
      {"largest correlation", &Scores::max_corr, "that of the same scores with each column permuted"},
      {"excess kurtosis", &Scores::kurtosis, "that of as many Gaussian numbers, about 0"},
      {"mean-max cosine", &Scores::mean_max_cosine,
       "that of random frames inside span(B), with the same top directions of EᵀE"},
  };
  return figures;
}

}  // namespace ampgrad::train
