#include "train/study/study_rates.h"

#include <algorithm>
#include <limits>

#include "train/change/weight_change.h"
#include "train/interrupt.h"
#include "train/report/format.h"

namespace ampgrad::train {

RateSearch StudyRates::Of(const Arm& arm) {
  if (arm.IsLevel()) return {};
  if (arm.fixed_lr > 0) return {.lr = arm.fixed_lr, .tried = {}, .at_edge = false};
  const auto arm_of = [&](const std::string& name) -> const Arm& {
    return *std::ranges::find(setup_.options().arms, name, &Arm::name);
  };
  if (!arm.rate_of.empty()) return Of(arm_of(arm.rate_of));
  if (!arm.norm_of.empty()) {
    const Arm& other = arm_of(arm.norm_of);
    const double norm = Norm(other, Of(other).lr);
    return MatchRate(DefaultRate(arm.method.method), norm, [&](double lr) { return Norm(arm, lr); });
  }
  const std::vector<double> rates = arm.rates.empty() ? RatesAround(DefaultRate(arm.method.method)) : arm.rates;
  return SearchRate(rates, [&](double lr) { return ValidationLoss(arm, lr); });
}

// The model after the steps of a search.
std::unique_ptr<models::LanguageModel> StudyRates::Trained(const Arm& arm, double lr) {
  std::unique_ptr<models::LanguageModel> model = setup_.Prepared(arm, 0);
  const Index search = setup_.options().search_steps;
  Trainer trainer(*model, setup_.OptionsOf(arm, search > 0 ? search : arm.steps, 0, lr, *model));
  while (!trainer.Done()) {
    trainer.Step(setup_.BatchOf(arm, 0, trainer.step()));
    StopIfSignalled();
  }
  return model;
}

double StudyRates::ValidationLoss(const Arm& arm, double lr) {
  const std::map<double, double>& tried = file_.Tried(arm.name);
  if (const auto known = tried.find(lr); known != tried.end()) return known->second;
  on_run_(arm.name + report::Format(", searching its rate at %g", lr));
  double loss = std::numeric_limits<double>::infinity();
  try {
    loss = Evaluate(*Trained(arm, lr), setup_.data().validation);
  } catch (const DivergedError&) {
  }
  file_.AddTried(arm.name, lr, loss);
  return loss;
}

// ‖ΔW‖ over the matrices of the blocks; infinite where training diverges.
double StudyRates::Norm(const Arm& arm, double lr) {
  const std::map<double, double>& norms = file_.Norms(arm.name);
  if (const auto known = norms.find(lr); known != norms.end()) return known->second;
  on_run_(arm.name + report::Format(", ‖ΔW‖ at the rate %g", lr));
  double norm = std::numeric_limits<double>::infinity();
  try {
    norm = CompareWeights(setup_.base(), *Trained(arm, lr), setup_.Universal(), {}).all.Norm();
  } catch (const DivergedError&) {
  }
  file_.AddNorm(arm.name, lr, norm);
  return norm;
}

}  // namespace ampgrad::train
