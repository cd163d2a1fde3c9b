// The claims that compare arms: C3, C4, C9, C11 to C13 and C24.
#include <algorithm>
#include <cmath>
#include <set>

#include "train/claims/finding.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

using ct::BasisKind;

constexpr ct::Start kExact = ct::Start::kExact;

// The universal basis against others at equal K: end losses, of which those of the universal one should be lower.
Finding AgainstBases(const StudyRuns& runs, const std::string& rule, const std::vector<BasisKind>& others) {
  std::vector<ClaimFigure> figures;
  std::vector<std::string> arms;
  for (const Index k : ComparedKs(runs)) {
    const Arm* universal = runs.Amplitude(kExact, k);
    for (const BasisKind kind : others) {
      const Arm* other = runs.Amplitude(kExact, k, kind);
      if (!universal || !other) continue;
      figures.push_back(EndLossFigure(runs, *universal, *other));
      arms.insert(arms.end(), {universal->name, other->name});
    }
  }
  if (figures.empty()) return NotTestable(rule, "runs of the plan \"bases\"");
  return ByThreshold(rule, figures, Side::kBelow, 0, arms);
}

Finding LoraForLessFrom(const StudyRuns& runs, ct::Start start) {
  const std::string rule = std::string("(amplitude, ") + ct::ToString(start) +
                           ", less LoRA of matched count) in end loss is below 2 % of full SFT's gain";
  const Arm* full = runs.Full();
  std::vector<ClaimFigure> figures;
  std::vector<std::string> arms = {"full"};
  for (const Index k : ComparedKs(runs)) {
    const Arm* scores = runs.Amplitude(start, k);
    const Arm* lora = scores ? MatchedLora(runs, *scores) : nullptr;
    if (!full || !lora) continue;
    const SeedValues gain = runs.Of(*full, [](const StudyRun& run) { return run.base_loss - run.end_loss; });
    figures.push_back({report::Format("%s (%lld numbers) less %s (%lld), over full SFT's gain", scores->name.c_str(),
                                      static_cast<long long>(TrainedBy(runs, *scores)), lora->name.c_str(),
                                      static_cast<long long>(TrainedBy(runs, *lora))),
                       Summary(RatioOf(EndLossDifference(runs, *scores, *lora), gain))});
    arms.insert(arms.end(), {scores->name, lora->name});
  }
  if (figures.empty()) return NotTestable(rule, "runs of the plan \"peers\", with a LoRA of about as many numbers");
  return ByThreshold(rule, figures, Side::kBelow, 0.02, arms);
}

// Training loss and gap between held-out and training loss at the end of one run.
struct GapPoint {
  double train, gap;
};

// The gap at a training loss, between the nearest points below and above it; NaN outside of all points.
double GapAt(std::vector<GapPoint> points, double train) {
  std::ranges::sort(points, {}, &GapPoint::train);
  for (size_t i = 1; i < points.size(); ++i) {
    const GapPoint &a = points[i - 1], &b = points[i];
    if (!(a.train <= train && train <= b.train)) continue;
    return b.train == a.train ? (a.gap + b.gap) / 2 : a.gap + (train - a.train) / (b.train - a.train) * (b.gap - a.gap);
  }
  return NAN;
}

// Gap of `arm` less that of full fine-tuning at the same training loss, by seed.
SeedValues ExtraGap(const StudyRuns& runs, const Arm& arm, const std::vector<const Arm*>& fulls) {
  SeedValues extra = runs.Of(arm, [&](const StudyRun& run) {
    std::vector<GapPoint> points;
    for (const Arm* full : fulls) {
      const StudyRun* other = runs.Run(*full, run.seed);
      if (other && other->diverged.empty()) points.push_back({other->train_loss, other->end_loss - other->train_loss});
    }
    return run.end_loss - run.train_loss - GapAt(points, run.train_loss);
  });
  if (extra.values.empty() && extra.diverged.empty())
    extra.why = "no run of full SFT on both sides of its training loss";
  return extra;
}

// Of the arms that train on so many samples, 0 being all of them.
Finding RegularisesWith(const StudyRuns& runs, Index samples) {
  const std::string of = samples > 0 ? report::Format("%lld samples: ", static_cast<long long>(samples)) : "";
  const std::string rule = of + "held-out less training loss is smaller than that of full SFT at equal training loss";
  const Arm* main = runs.Full();
  if (!main) return NotTestable(rule, "runs of the plan \"length\"");
  const auto in_question = [&](const Arm& arm, const char* method) {
    return arm.kind == ArmKind::kMethod && HasSearchedRate(arm) && arm.freeze.empty() && arm.samples == samples &&
           arm.method.method == method && arm.method.scope == main->method.scope;
  };
  const auto fulls = runs.Arms([&](const Arm& arm) { return in_question(arm, "full"); });
  const std::vector<Index> ks = ComparedKs(runs);
  std::vector<ClaimFigure> figures;
  std::vector<std::string> names;
  for (const Arm* full : fulls) names.push_back(full->name);
  for (const Arm* arm : runs.Arms([&](const Arm& a) {
         return std::ranges::find(ks, a.method.k) != ks.end() && in_question(a, "amplitude") &&
                a.method.basis == BasisKind::kUniversal;
       })) {
    const SeedValues extra = ExtraGap(runs, *arm, fulls);
    if (!extra.why.empty()) continue;
    figures.push_back({"gap, " + arm->name + " less full at its training loss", Summary(extra), FigureUnit::kLoss});
    names.push_back(arm->name);
  }
  if (fulls.size() < 2 || figures.empty()) {
    return NotTestable(rule, "runs of the plan \"length\": full SFT on both sides of an arm's training loss");
  }
  return ByThreshold(rule, figures, Side::kBelow, 0, names);
}

}  // namespace

Index TrainedBy(const StudyRuns& runs, const Arm& arm) {
  for (const uint64_t seed : runs.seeds()) {
    if (const StudyRun* run = runs.Run(arm, seed)) return run->trained;
  }
  return 0;
}

const Arm* MatchedLora(const StudyRuns& runs, const Arm& scores) {
  const Arm* nearest = nullptr;
  double distance = std::log(1.5);
  const auto count = [&](const Arm& arm) { return static_cast<double>(TrainedBy(runs, arm)); };
  for (const Arm* arm : runs.Arms()) {
    if (arm->method.method != "lora" || arm->method.factors != FactorSource::kDefault || !runs.IsComparable(*arm)) {
      continue;
    }
    const double apart = std::abs(std::log(count(*arm) / count(scores)));
    if (!(apart <= distance)) continue;
    distance = apart;
    nearest = arm;
  }
  return nearest;
}

Findings UniversalBeatsRandom(const StudyInput& study) {
  return {AgainstBases(study.runs,
                       "end loss, exact, K = 8 and 32 or what of that the width allows: universal is below random",
                       {BasisKind::kRandom})};
}

Findings TopBeatsBottom(const StudyInput& study) {
  return {AgainstBases(study.runs,
                       "end loss, exact, K = 8 and 32 or what of that the width allows: universal is below its bottom "
                       "and each matrix's minor",
                       {BasisKind::kBottom, BasisKind::kMinor})};
}

Findings Regularises(const StudyInput& study) {
  std::set<Index> samples = {0};
  for (const StudyRun& run : study.runs.runs()) samples.insert(run.arm.samples);
  Findings findings;
  for (const Index count : samples) findings.push_back(RegularisesWith(study.runs, count));
  return findings;
}

Findings GradientFloor(const StudyInput& study) {
  Index k = 0;
  for (const auto& [seed, by_k] : study.captures) {
    for (const auto& [at, share] : by_k) k = at <= 32 ? std::max(k, at) : k;
  }
  const std::string rule = "the gradient capture, at K = 32 or the next below, contains 50 % and excludes K/d";
  if (k == 0 || study.width == 0) return {NotTestable(rule, "lines of gradient capture, and the width d (--width)")};
  const double chance = static_cast<double>(k) / static_cast<double>(study.width);
  const ClaimFigure figure = {
      report::Format("‖dW·Bᵀ‖²/‖dW‖² at K = %lld (K/d %.1f %%)", static_cast<long long>(k), 100 * chance),
      Summary(study.Capture(k))};
  return {ByContains(rule, figure, 0.5, kNarrowShare, {chance}, {kCaptureSource})};
}

Findings LoraForLess(const StudyInput& study) {
  Findings findings;
  for (const ct::Start start : kStarts) findings.push_back(LoraForLessFrom(study.runs, start));
  return findings;
}

Findings ProjectionsThird(const StudyInput& study) {
  const std::string rule = "from-base efficiency of attention's output projection alone, whole, contains 35 %";
  const Arm* full = study.runs.Full();
  const Arm* alone = study.runs.Find([](const Arm& arm) {
    const std::vector<std::string>& targets = arm.method.scope.targets;
    return arm.method.method == "full" && arm.kind == ArmKind::kMethod && HasSearchedRate(arm) && arm.samples == 0 &&
           targets.size() == 1 && (targets[0] == "attn.c_proj" || targets[0] == "o_proj");
  });
  if (!full || !alone) return {NotTestable(rule, "runs of the plan \"scope\"")};
  const ClaimFigure figure = {"from-base efficiency of all of full SFT, " + alone->name,
                              Summary(Efficiency(study.runs, *alone, full, Gain::kFromBase))};
  return {ByContains(rule, figure, 0.35, kNarrowShare, {}, {alone->name, full->name})};
}

Findings GapCloses(const StudyInput& study) {
  const std::string rule =
      "(loss less that of full SFT) at the end over that at step 0, reconstructed K = 8, is below 1/2";
  const Arm *full = study.runs.Full(), *arm = study.runs.Amplitude(ct::Start::kReconstructed, 8);
  if (!full || !arm) return {NotTestable(rule, "runs of reconstructed K=8 and of full")};
  const auto start = [](const StudyRun& run) { return run.start_loss; };
  const SeedValues first = Difference(study.runs.Of(*arm, start), study.runs.Of(*full, start));
  const ClaimFigure figure = {"gap at the end over that at step 0, " + arm->name,
                              Summary(RatioOf(EndLossDifference(study.runs, *arm, *full), first))};
  return {ByThreshold(rule, {figure}, Side::kBelow, 0.5, {arm->name, full->name})};
}

}  // namespace ampgrad::train
