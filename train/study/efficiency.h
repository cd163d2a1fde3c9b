#pragma once

#include <string>
#include <vector>

#include "train/study/study_runs.h"

/// How much of full fine-tuning's gain an arm has, of each seed.
namespace ampgrad::train {

/// The two efficiencies of every table.
enum class Gain {
  kFromStart,  // (start − end) / (start − end of full): the papers' figure
  kFromBase,   // (base − end) / (base − end of full)
};

/// The efficiency of `arm` by seed, measured by `full`; null, or a seed without its run, gives no number. Its `why` is
/// set where the gain of full may be zero.
SeedValues Efficiency(const StudyRuns& runs, const Arm& arm, const Arm* full, Gain gain);
/// By the full fine-tuning of the arm's own scope and steps.
SeedValues Efficiency(const StudyRuns& runs, const Arm& arm, Gain gain);

/// A point of the K curve.
struct CurvePoint {
  const Arm* arm = nullptr;
  Index k = 0, trained = 0;
  Interval end_loss = {}, from_start = {}, from_base = {};
  Interval against_full = {};  // end loss less that of full

  /// Trained numbers for each point of from-base efficiency (S78's "params per point"); NaN unless that is above 0.
  double TrainedPerPoint() const;
};

/// The curve of one start, by the universal basis; ascending K.
std::vector<CurvePoint> KCurve(const StudyRuns& runs, ct::Start start);

/// (E(to) − E(from)) / (to − from) between neighbours of the curve: efficiency for each further score of a row.
struct MarginalReturn {
  const Arm *from, *to;
  Interval per_k;
};
std::vector<MarginalReturn> MarginalReturns(const StudyRuns& runs, ct::Start start, Gain gain);

/// The K of the lowest mean end loss; null without a curve. A K whose runs diverged in part is not the best.
const Arm* BestK(const StudyRuns& runs, ct::Start start);

/// The K at which each seed's from-base efficiency first reaches `share`, interpolated in log K. A seed that reaches it
/// at no K, or at the least one already, has none: `why` names it.
SeedValues KReaching(const StudyRuns& runs, ct::Start start, double share);

/// The slope of log y over log x by least squares, for each seed that has a number at every x. At least two x.
SeedValues ExponentBySeed(const std::vector<double>& x, const std::vector<SeedValues>& y);

}  // namespace ampgrad::train
