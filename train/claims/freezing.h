#pragma once

#include <string>
#include <vector>

#include "train/study/study_runs.h"

/// What freezing matrices early saves.
namespace ampgrad::train {

/// An arm whose matrices stop training, beside the same arm without that.
struct FreezingArm {
  const Arm* unfrozen = nullptr;
  const Arm* arm = nullptr;
  SeedValues seconds = {};      // of all its steps
  SeedValues whole_ratio = {};  // those of the un-frozen run over them
  /// Time of the un-frozen run to its end loss over that of the frozen run to the same loss, interpolated between
  /// held-out points. A run that does not reach it needs more than all of its steps: it counts with the time of those,
  /// which says more for it than it has.
  SeedValues speed_up = {};
  int late = 0;              // seeds that do not reach it
  SeedValues end_loss = {};  // less that of the un-frozen run
};

/// The arms of group "freezing" whose un-frozen arm was run, too.
std::vector<FreezingArm> FreezingArms(const StudyRuns& runs);

/// What the schedule can save at most (MostFreezingSaves, of matrices of one size), in words: half of all dW, where dW
/// is a third of a step's products. Matrices that are scattered over the layers save nothing else, as dX still passes
/// through them.
extern const char* const kFreezingBoundText;

/// The seconds after which a run first has this held-out loss, linear between points; NaN where it never has, or has no
/// times.
double SecondsToReach(const StudyRun& run, double loss);

}  // namespace ampgrad::train
