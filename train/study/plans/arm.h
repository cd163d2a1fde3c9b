#pragma once

#include <string>
#include <vector>

#include "models/language_model.h"
#include "train/methods/method.h"

namespace ampgrad::train {

/// What becomes of the model before an arm trains it, or instead.
enum class ArmKind {
  kMethod,         // the method's own start
  kRebuilt,        // every matrix in scope is first rebuilt as S·B + μ, then trained whole
  kMeanRow,        // a level: K = 0, the mean row alone; nothing trains
  kLayersRemoved,  // a level: the layers in scope add nothing to the residual stream; nothing trains
};

/// One way to fine-tune, to be run with several seeds: everything but the seed, and the rate where it is searched.
struct Arm {
  std::string name;                 // unique in a study: "exact K=8"
  std::vector<std::string> groups;  // questions that it helps to answer: "frontier", "bases"
  MethodSettings method = {};
  ArmKind kind = ArmKind::kMethod;
  Index steps = 0;                 // 0: those of the study
  Index samples = 0;               // trains on so many alone, the first of its seed, over and over; 0: on all
  double fixed_lr = 0;             // 0: the rate is searched
  std::vector<double> rates = {};  // that the search begins with, of which one alone is taken; empty: the method's own
  std::string rate_of = {};        // an arm of the plan, whose searched rate this one takes
  std::string norm_of = {};        // an arm of the plan: the rate is that at which ‖ΔW‖ is as large as this arm's
  std::string freeze = {};         // the order in which matrices stop training (FreezeOrders); empty: none does
  bool summary = false;            // it answers the held-out problems, and its scores are weighed as a file

  /// The arm that its rate comes of: its own name, or that of the arm whose rate or ‖ΔW‖ it takes.
  const std::string& RateFrom() const { return !rate_of.empty() ? rate_of : !norm_of.empty() ? norm_of : name; }
  /// Whether nothing trains.
  bool IsLevel() const { return kind == ArmKind::kMeanRow || kind == ArmKind::kLayersRemoved; }
};

/// Makes of `model` what the arm starts from. `bases` are those of its method. Throws as Prepare does.
void PrepareArm(models::LanguageModel& model, const Arm& arm, const Bases& bases);

}  // namespace ampgrad::train
