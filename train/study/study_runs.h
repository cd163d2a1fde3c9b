#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "train/study/statistics.h"
#include "train/study/study_run.h"

namespace ampgrad::train {

/// Whether the rate of an arm is the best of a search: neither fixed nor that of a norm.
inline bool HasSearchedRate(const Arm& arm) { return arm.fixed_lr == 0 && arm.norm_of.empty(); }

/// The runs of one study, by arm and seed.
class StudyRuns {
 public:
  StudyRuns() = default;
  explicit StudyRuns(std::vector<StudyRun> runs);

  const std::vector<StudyRun>& runs() const { return runs_; }
  /// Every seed that an arm which trains was run with.
  const std::set<uint64_t>& seeds() const { return seeds_; }
  /// Each arm once, in the order of the runs.
  std::vector<const Arm*> Arms() const;
  std::vector<const Arm*> Arms(const std::function<bool(const Arm&)>& which) const;
  /// The first of them, or null.
  const Arm* Find(const std::function<bool(const Arm&)>& which) const;

  /// The run of an arm with a seed, or null; of two the first. A level has one run, which serves every seed.
  const StudyRun* Run(const Arm& arm, uint64_t seed) const;
  /// A number of each seed's run.
  SeedValues Of(const Arm& arm, const std::function<double(const StudyRun&)>& number) const;

  /// Full fine-tuning of the study's whole scope at its own number of steps: the arm "full"; null without runs of it.
  const Arm* Full() const;
  /// Full fine-tuning in the scope, with the steps and of the samples of `arm`, at a searched rate, which measures its
  /// efficiency; null when there is none.
  const Arm* FullFor(const Arm& arm) const;
  /// Amplitude in the scope and with the steps of "full", at a searched rate; ascending K.
  std::vector<const Arm*> Amplitudes(ct::Start start, ct::BasisKind basis = ct::BasisKind::kUniversal) const;
  const Arm* Amplitude(ct::Start start, Index k, ct::BasisKind basis = ct::BasisKind::kUniversal) const;
  /// Whether an arm has the scope, the steps and the samples of "full" and a searched rate, and nothing of it freezes.
  bool IsComparable(const Arm& arm) const;

 private:
  std::vector<StudyRun> runs_;
  std::map<std::string, std::vector<size_t>> by_arm_;  // places in runs_
  std::vector<size_t> first_;                          // the first run of each arm
  std::set<uint64_t> seeds_;
};

}  // namespace ampgrad::train
