#pragma once

#include <string>
#include <vector>

#include "ct/spectra/model_spectra.h"

/// Figures in words, for the text and the page alike.
namespace ampgrad::train {

/// Four digits or so; "–" where there is no number.
std::string ValueText(double value);
/// Six digits, for tooltips.
std::string LongText(double value);
/// What chance gives: "chance 0.189, 95 % level 0.195, p 1.2e-09", of these what there is.
std::string ChanceText(const ct::Figure& figure);
/// "0.3276; chance …; survives Holm's correction": a figure with all that is known of it.
std::string FigureText(const ct::Figure& figure);
/// The same as a part of a sentence: "0.3276 (chance …; it survives Holm's correction)".
std::string FigureInSentence(const ct::Figure& figure);

/// How the figures of a model compare with chance.
struct FigureCounts {
  int tested = 0, exceeding = 0, marked = 0;
  /// How many of those tested chance alone puts beyond its 95 % level.
  int expected() const { return (tested + 10) / 20; }
  void Count(const ct::Figure& figure);
};
FigureCounts CountFigures(const ct::ModelSpectra& spectra);

/// A figure that every matrix has for each K.
struct ScoreFigure {
  const char* name;
  ct::Figure ct::MatrixScores::*figure;
  const char* chance;  // what its null is
};
const std::vector<ScoreFigure>& ScoreFigures();

}  // namespace ampgrad::train
