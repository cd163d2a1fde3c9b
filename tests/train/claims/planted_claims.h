#pragma once

#include <string>
#include <vector>

#include "tests/train/study/planted_study.h"
#include "train/claims/claims.h"

/// Verdicts on planted studies.
namespace ampgrad::train {

using Words = std::vector<std::string>;

inline StudyInput Study(std::vector<StudyRun> runs, Index width = 256) {
  StudyInput study;
  study.name = "planted";
  study.runs = StudyRuns(std::move(runs));
  study.width = width;
  return study;
}

/// Full SFT falls from 4 to 2 ± 0.002, whatever the seed.
inline std::vector<StudyRun> WithFull() {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, Around(2, 0.002), 64000);
  return runs;
}

inline std::vector<Finding> Of(const std::vector<Finding>& findings, const std::string& id) {
  std::vector<Finding> found;
  for (const Finding& finding : findings) {
    if (finding.id == id) found.push_back(finding);
  }
  return found;
}

inline Words VerdictsOf(const StudyInput& study, const std::string& id) {
  Words verdicts;
  for (const Finding& finding : Of(JudgeClaims({study}), id)) verdicts.push_back(ToString(finding.verdict));
  return verdicts;
}

}  // namespace ampgrad::train
