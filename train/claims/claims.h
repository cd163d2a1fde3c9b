#pragma once

#include <string>
#include <vector>

#include "train/claims/study_input.h"
#include "train/study/verdict.h"

/// The papers' claims, each judged by the runs of one study or of several.
namespace ampgrad::train {

/// How a figure is written.
enum class FigureUnit { kShare, kLoss, kNumber };

/// A figure that a verdict rests on.
struct ClaimFigure {
  std::string name = {};  // "from-base efficiency, reconstructed K=8"
  Interval interval = {};
  FigureUnit unit = FigureUnit::kShare;
};

/// One verdict. A claim has several where it can be read in several ways.
struct Finding {
  std::string id = {}, claim = {};  // "C1" and the papers' words
  std::string study = {};           // its directory; empty: all studies together
  std::string rule = {};            // when it holds, in words
  Verdict verdict = Verdict::kNotTestable;
  std::vector<ClaimFigure> figures = {};
  std::vector<std::string> arms = {};  // whose runs were used
  std::string decides = {};            // what would decide it, where it is not decided
};

/// "from-base efficiency, exact K=8: 60.4 % (58.1 to 62.7; 5 seeds)"; without a mean the reason for that.
std::string Describe(const ClaimFigure& figure);

/// C1 to C27 for each study, and those that need several widths once for all.
std::vector<Finding> JudgeClaims(const std::vector<StudyInput>& studies);

/// How many claims the papers make here.
inline constexpr int kClaims = 27;

}  // namespace ampgrad::train
