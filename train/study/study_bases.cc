#include "train/study/study_bases.h"

#include <algorithm>

namespace ampgrad::train {
namespace {

bool IsDrawn(ct::BasisKind kind) {
  return kind == ct::BasisKind::kRandom || kind == ct::BasisKind::kRotated || kind == ct::BasisKind::kGradient;
}

}  // namespace

const std::shared_ptr<const ct::Basis>& StudyBases::Universal() {
  Arm arm;
  arm.method = {.method = "amplitude", .k = largest_k_, .rows = rows_};
  return Of(arm, 0, {}).shared();
}

const Bases& StudyBases::Of(const Arm& arm, uint64_t seed, const std::vector<Batch>& batches) {
  static const Bases kNone;
  MethodSettings settings = arm.method;
  if (arm.kind == ArmKind::kRebuilt) settings.method = "amplitude";
  if (!settings.NeedsBasis()) return kNone;
  // The vectors of a rotation all change with K, and those of a matrix may be fewer than the largest K.
  const bool nested = settings.basis == ct::BasisKind::kUniversal || settings.basis == ct::BasisKind::kBottom ||
                      settings.basis == ct::BasisKind::kRandom;
  const bool amplitude = settings.method == "amplitude";
  const Index k = nested ? largest_k_ : amplitude ? settings.k : settings.rank;
  settings.seed = IsDrawn(settings.basis) ? seed : 0;
  const auto key = std::make_tuple(settings.rows, settings.basis, k, settings.seed);
  const auto found = made_.find(key);
  if (found != made_.end()) return found->second;
  (amplitude ? settings.k : settings.rank) = k;
  return made_[key] = MakeBases(base_, settings, sample_, batches);
}

}  // namespace ampgrad::train
