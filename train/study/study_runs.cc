#include "train/study/study_runs.h"

#include <algorithm>
#include <cmath>

namespace ampgrad::train {

StudyRuns::StudyRuns(std::vector<StudyRun> runs) : runs_(std::move(runs)) {
  for (size_t i = 0; i < runs_.size(); ++i) {
    std::vector<size_t>& of_arm = by_arm_[runs_[i].arm.name];
    if (of_arm.empty()) first_.push_back(i);
    of_arm.push_back(i);
    if (!runs_[i].arm.IsLevel()) seeds_.insert(runs_[i].seed);
  }
}

std::vector<const Arm*> StudyRuns::Arms() const {
  return Arms([](const Arm&) { return true; });
}

std::vector<const Arm*> StudyRuns::Arms(const std::function<bool(const Arm&)>& which) const {
  std::vector<const Arm*> arms;
  for (const size_t first : first_) {
    if (which(runs_[first].arm)) arms.push_back(&runs_[first].arm);
  }
  return arms;
}

const Arm* StudyRuns::Find(const std::function<bool(const Arm&)>& which) const {
  const std::vector<const Arm*> arms = Arms(which);
  return arms.empty() ? nullptr : arms.front();
}

const StudyRun* StudyRuns::Run(const Arm& arm, uint64_t seed) const {
  const auto of_arm = by_arm_.find(arm.name);
  if (of_arm == by_arm_.end()) return nullptr;
  for (const size_t i : of_arm->second) {
    if (arm.IsLevel() || runs_[i].seed == seed) return &runs_[i];
  }
  return nullptr;
}

SeedValues StudyRuns::Of(const Arm& arm, const std::function<double(const StudyRun&)>& number) const {
  SeedValues result;
  for (const uint64_t seed : seeds_) {
    const StudyRun* run = Run(arm, seed);
    if (run && !run->diverged.empty()) {
      result.diverged.insert(seed);
      continue;
    }
    const double value = run ? number(*run) : NAN;
    if (std::isfinite(value)) {
      result.values[seed] = value;
    } else {
      result.missing.insert(seed);
    }
  }
  return result;
}

const Arm* StudyRuns::Full() const {
  const auto runs = by_arm_.find("full");
  return runs == by_arm_.end() ? nullptr : &runs_[runs->second.front()].arm;
}

const Arm* StudyRuns::FullFor(const Arm& arm) const {
  return Find([&](const Arm& full) {
    return full.method.method == "full" && full.kind == ArmKind::kMethod && HasSearchedRate(full) &&
           full.steps == arm.steps && full.samples == arm.samples && full.method.scope == arm.method.scope;
  });
}

bool StudyRuns::IsComparable(const Arm& arm) const {
  const Arm* full = Full();
  return full && HasSearchedRate(arm) && arm.freeze.empty() && arm.steps == full->steps &&
         arm.samples == full->samples && arm.method.scope == full->method.scope;
}

std::vector<const Arm*> StudyRuns::Amplitudes(ct::Start start, ct::BasisKind basis) const {
  std::vector<const Arm*> arms = Arms([&](const Arm& arm) {
    return IsComparable(arm) && arm.kind == ArmKind::kMethod && arm.method.method == "amplitude" && arm.method.k > 0 &&
           arm.method.start == start && arm.method.basis == basis;
  });
  std::ranges::stable_sort(arms, {}, [](const Arm* arm) { return arm->method.k; });
  return arms;
}

const Arm* StudyRuns::Amplitude(ct::Start start, Index k, ct::BasisKind basis) const {
  for (const Arm* arm : Amplitudes(start, basis)) {
    if (arm->method.k == k) return arm;
  }
  return nullptr;
}

}  // namespace ampgrad::train
