#pragma once

#include "train/study/study_setup.h"

namespace ampgrad::train {

/// The learning rate of each arm of a study. What an earlier process has tried is not tried again.
class StudyRates {
 public:
  /// All of the arguments must outlive it. `on_run` hears of every run of a search.
  StudyRates(StudySetup& setup, StudyFile& file, const OnRun& on_run) : setup_(setup), file_(file), on_run_(on_run) {}

  /// The rate that the arm has, that another arm has found, that is searched, or at which ‖ΔW‖ is that of another arm
  /// at its own rate. A level has none.
  RateSearch Of(const Arm& arm);

 private:
  double ValidationLoss(const Arm& arm, double lr);
  double Norm(const Arm& arm, double lr);
  std::unique_ptr<models::LanguageModel> Trained(const Arm& arm, double lr);

  StudySetup& setup_;
  StudyFile& file_;
  const OnRun& on_run_;
};

}  // namespace ampgrad::train
