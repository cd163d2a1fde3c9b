#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "train/study/study_run.h"

/// Runs with given losses, as a study would have recorded them.
namespace ampgrad::train {

inline constexpr auto kExact = ct::Start::kExact, kRebuilt = ct::Start::kReconstructed;

/// An arm as the plans make it.
inline Arm FullArm(const std::string& name = "full", Index steps = 0) {
  Arm arm;
  arm.name = name;
  arm.groups = {"frontier"};
  arm.steps = steps;
  arm.method.method = "full";
  return arm;
}

inline Arm AmplitudeArm(ct::Start start, Index k, ct::BasisKind basis = ct::BasisKind::kUniversal, Index steps = 0) {
  Arm arm;
  arm.groups = {"frontier"};
  arm.steps = steps;
  arm.method.method = "amplitude";
  arm.method.start = start;
  arm.method.k = k;
  arm.method.basis = basis;
  arm.name = arm.method.Label() + (steps > 0 ? ", " + std::to_string(steps) + " steps" : "");
  return arm;
}

inline Arm LowRankArm(const std::string& method, Index rank) {
  Arm arm;
  arm.groups = {"peers"};
  arm.method.method = method;
  arm.method.rank = rank;
  arm.name = arm.method.Label();
  return arm;
}

/// A run of every seed 1, 2, …, one for each end loss; NaN: it diverged. An exact start is the base.
inline void Plant(std::vector<StudyRun>& runs, const Arm& arm, double base, double start,
                  const std::vector<double>& ends, Index trained = 1000) {
  for (size_t i = 0; i < ends.size(); ++i) {
    StudyRun run;
    run.arm = arm;
    run.seed = i + 1;
    run.rate.lr = 1e-2;
    run.base_loss = base;
    run.start_loss = start;
    run.end_loss = ends[i];
    run.train_loss = ends[i] - 0.1;
    run.trained = trained;
    run.total = 100000;
    run.optimizer_bytes = 8 * trained;
    run.memory = 1000000;
    run.instructions = "AVX2";
    run.bits = "00";
    if (std::isnan(ends[i])) run.diverged = "the loss at step 3 is not finite";
    runs.push_back(run);
  }
}

/// `mean` with five steps of `spread` around it, in an order that `turn` turns: their mean is `mean` itself.
inline std::vector<double> Around(double mean, double spread, int turn = 0) {
  const double steps[] = {-1, 0.5, 0, 1, -0.5};
  std::vector<double> values;
  for (int i = 0; i < 5; ++i) values.push_back(mean + spread * steps[(i + turn) % 5]);
  return values;
}

}  // namespace ampgrad::train
