#pragma once

#include <memory>

#include "train/study/study.h"
#include "train/study/study_bases.h"

namespace ampgrad::train {

/// What the runs of a study begin from: copies of the given model, batches and settings, by arm and seed.
class StudySetup {
 public:
  /// All of the arguments must outlive it.
  StudySetup(models::LanguageModel& base, const Data& data, const StudyOptions& options);

  models::LanguageModel& base() { return base_; }
  /// The data, whose losses ask a cache where to begin; when the first arm trains all layers, nothing is shared.
  const Data& data() const { return data_; }
  const StudyOptions& options() const { return options_; }
  /// The universal basis with the largest K of any arm.
  const ct::Basis& Universal() { return *bases_.Universal(); }

  /// The batch of a step: each seed has its own, the same for every arm. An arm of few samples reads its first batches
  /// over and over.
  Batch BatchOf(const Arm& arm, uint64_t seed, Index step) const;
  /// A copy of the model as the arm starts with it.
  std::unique_ptr<models::LanguageModel> Prepared(const Arm& arm, uint64_t seed);
  /// How `prepared` trains: `steps` 0 are those of the study.
  TrainOptions OptionsOf(const Arm& arm, Index steps, uint64_t seed, double lr, models::LanguageModel& prepared);

 private:
  const Bases& BasesOf(const Arm& arm, uint64_t seed);

  models::LanguageModel& base_;
  const Data data_;
  const StudyOptions& options_;
  StudyBases bases_;
};

}  // namespace ampgrad::train
