#include "train/study/efficiency.h"

#include <cmath>

#include "train/report/format.h"

namespace ampgrad::train {
namespace {

SeedValues GainOf(const StudyRuns& runs, const Arm& arm, Gain gain) {
  return runs.Of(arm, [gain](const StudyRun& run) {
    return (gain == Gain::kFromStart ? run.start_loss : run.base_loss) - run.end_loss;
  });
}

// Where the values first reach `share` on a logarithmic axis; NaN where they do not, or do so at once.
double FirstCrossing(const std::vector<std::pair<double, double>>& points, double share) {
  for (size_t i = 0; i < points.size(); ++i) {
    if (!(points[i].second >= share)) continue;
    if (i == 0) return NAN;
    const auto [k0, e0] = points[i - 1];
    const auto [k1, e1] = points[i];
    return std::exp(std::log(k0) + (share - e0) / (e1 - e0) * (std::log(k1) - std::log(k0)));
  }
  return NAN;
}

}  // namespace

SeedValues Efficiency(const StudyRuns& runs, const Arm& arm, const Arm* full, Gain gain) {
  SeedValues own = GainOf(runs, arm, gain);
  if (!full) {
    own.values.clear();
    own.why = "there is no full fine-tuning of the same scope and steps";
    return own;
  }
  return RatioOf(own, GainOf(runs, *full, gain));
}

SeedValues Efficiency(const StudyRuns& runs, const Arm& arm, Gain gain) {
  return Efficiency(runs, arm, runs.FullFor(arm), gain);
}

double CurvePoint::TrainedPerPoint() const {
  return from_base.mean > 0 ? static_cast<double>(trained) / (100 * from_base.mean) : NAN;
}

std::vector<CurvePoint> KCurve(const StudyRuns& runs, ct::Start start) {
  std::vector<CurvePoint> curve;
  for (const Arm* arm : runs.Amplitudes(start)) {
    CurvePoint point{.arm = arm, .k = arm->method.k};
    for (const uint64_t seed : runs.seeds()) {
      if (const StudyRun* run = runs.Run(*arm, seed)) point.trained = run->trained;
    }
    const SeedValues end = runs.Of(*arm, &StudyRun::end_loss);
    point.end_loss = Summary(end);
    point.from_start = Summary(Efficiency(runs, *arm, Gain::kFromStart));
    point.from_base = Summary(Efficiency(runs, *arm, Gain::kFromBase));
    if (const Arm* full = runs.FullFor(*arm))
      point.against_full = Summary(Difference(end, runs.Of(*full, &StudyRun::end_loss)));
    curve.push_back(std::move(point));
  }
  return curve;
}

std::vector<MarginalReturn> MarginalReturns(const StudyRuns& runs, ct::Start start, Gain gain) {
  const std::vector<const Arm*> arms = runs.Amplitudes(start);
  std::vector<MarginalReturn> returns;
  for (size_t i = 1; i < arms.size(); ++i) {
    const auto width = static_cast<double>(arms[i]->method.k - arms[i - 1]->method.k);
    const SeedValues rise = Paired(Efficiency(runs, *arms[i], gain), Efficiency(runs, *arms[i - 1], gain),
                                   [width](double above, double below) { return (above - below) / width; });
    returns.push_back({arms[i - 1], arms[i], Summary(rise)});
  }
  return returns;
}

const Arm* BestK(const StudyRuns& runs, ct::Start start) {
  const Arm* best = nullptr;
  double lowest = INFINITY;
  for (const CurvePoint& point : KCurve(runs, start)) {
    if (point.end_loss.diverged > 0 || !(point.end_loss.mean < lowest)) continue;
    lowest = point.end_loss.mean;
    best = point.arm;
  }
  return best;
}

SeedValues KReaching(const StudyRuns& runs, ct::Start start, double share) {
  std::map<uint64_t, std::vector<std::pair<double, double>>> curves;
  SeedValues result;
  for (const Arm* arm : runs.Amplitudes(start)) {
    const SeedValues efficiency = Efficiency(runs, *arm, Gain::kFromBase);
    if (!efficiency.why.empty()) result.why = efficiency.why;
    result.diverged.insert(efficiency.diverged.begin(), efficiency.diverged.end());
    for (const auto& [seed, value] : efficiency.values) {
      curves[seed].emplace_back(static_cast<double>(arm->method.k), value);
    }
  }
  for (const uint64_t seed : runs.seeds()) {
    const double k = FirstCrossing(curves[seed], share);
    if (std::isfinite(k) && !result.diverged.contains(seed)) {
      result.values[seed] = k;
    } else if (!result.diverged.contains(seed)) {
      result.missing.insert(seed);
    }
  }
  if (result.why.empty() && !result.missing.empty()) {
    result.why = report::Format("%zu of %zu seeds do not pass %.0f %% between two values of K", result.missing.size(),
                                runs.seeds().size(), 100 * share);
  }
  return result;
}

SeedValues ExponentBySeed(const std::vector<double>& x, const std::vector<SeedValues>& y) {
  double mean_x = 0, squares = 0;
  for (const double value : x) mean_x += std::log(value) / static_cast<double>(x.size());
  for (const double value : x) squares += (std::log(value) - mean_x) * (std::log(value) - mean_x);
  SeedValues slope;
  for (size_t i = 0; i < x.size(); ++i) {
    const double weight = (std::log(x[i]) - mean_x) / squares;
    const SeedValues part = Paired(y[i], y[i], [weight](double value, double) { return weight * std::log(value); });
    slope = i == 0 ? part : Paired(slope, part, [](double a, double b) { return a + b; });
  }
  return slope;
}

}  // namespace ampgrad::train
