// The claims that analysis.json answers: C15 to C18.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "ct/spectra/statistics.h"
#include "tensor/io/json.h"
#include "tensor/random.h"
#include "train/claims/finding.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

// What would decide it: the analysis, and what else it needs.
std::string NeedAnalysis(const char* more = "") {
  return report::Format("analysis.json in the study's directory, by `ampgrad analyze --json`%s", more);
}

const std::vector<std::string> kSource = {"analysis.json"};

io::JsonValue Analysis(const StudyInput& study) { return {study.analysis, study.name + "/analysis.json"}; }

double NumberOr(const io::JsonValue& value) { return value.null() ? NAN : value.Number(); }

// The exponent over K of the mean PR of resampled matrices.
double Slope(const std::vector<double>& ks, const std::vector<std::vector<double>>& pr,
             const std::vector<size_t>& drawn) {
  std::vector<double> means;
  for (const std::vector<double>& of_k : pr) {
    double sum = 0;
    for (const size_t m : drawn) sum += of_k[m];
    means.push_back(sum / static_cast<double>(drawn.size()));
  }
  return ct::FitLogs(ks, means).slope;
}

// The exponent and its 95 % interval over resampled matrices (percentiles of 2000 draws).
Interval BootstrapExponent(const std::vector<double>& ks, const std::vector<std::vector<double>>& pr) {
  constexpr int kDraws = 2000;
  const size_t matrices = pr.front().size();
  std::vector<size_t> drawn(matrices);
  for (size_t m = 0; m < matrices; ++m) drawn[m] = m;
  Interval interval;
  interval.mean = Slope(ks, pr, drawn);
  const Random random(1, 0);
  std::vector<double> slopes;
  for (int draw = 0; draw < kDraws; ++draw) {
    for (size_t m = 0; m < matrices; ++m) {
      const uint64_t at = static_cast<uint64_t>(draw) * matrices + m;
      drawn[m] = static_cast<size_t>(random.Below(at, static_cast<Index>(matrices)));
    }
    slopes.push_back(Slope(ks, pr, drawn));
  }
  std::ranges::sort(slopes);
  interval.low = slopes[kDraws / 40 - 1];
  interval.high = slopes[kDraws - kDraws / 40];
  return interval;
}

}  // namespace

Findings CorpusPredicts(const StudyInput& study) {
  const std::string rule =
      "R² out of sample of all layers is within the 199 shuffled ones (p above 5 %), and that of the positive control, "
      "the vocabulary, is not";
  const bool has_corpus = !study.analysis.is_null() && Analysis(study).Has("corpus");
  if (!has_corpus || !Analysis(study).Field("corpus").Has("all_layers")) {
    return {NotTestable(rule, NeedAnalysis(" with --text"))};
  }
  const io::JsonValue corpus = Analysis(study).Field("corpus");
  const io::JsonValue scores = corpus.Field("all_layers"), control = corpus.Field("vocabulary");
  const bool inside = scores.Field("p").Number() > 0.05, seen = control.Field("p").Number() <= 0.05;
  const Verdict verdict = !inside ? Verdict::kDoesNotHold : seen ? Verdict::kHolds : Verdict::kUndecided;
  const auto figure = [](const char* name, const io::JsonValue& of) {
    return Plain(report::Format("R² of %s (p %.3g)", name, of.Field("p").Number()), of.Field("r2").Number());
  };
  return {ByFact(rule, verdict, {figure("the scores", scores), figure("the positive control", control)}, kSource,
                 verdict == Verdict::kUndecided ? "more text: the positive control is not seen either" : "")};
}

Findings Alignment(const StudyInput& study) {
  const std::string rule = "mean largest cosine of B with EᵀE is above the 95 % levels of frames in R^d and in span(B)";
  if (study.analysis.is_null()) return {NotTestable(rule, NeedAnalysis())};
  std::set<Index> ks;
  for (const auto& [k, figures] : Analysis(study).Field("by_k").json().items()) ks.insert(std::stoll(k));
  Findings findings;
  for (const Index number : ks) {
    const std::string k = std::to_string(number);
    const io::JsonValue at = Analysis(study).Field("by_k").Field(k), cosine = at.Field("mean_max_cosine");
    const double value = NumberOr(cosine.Field("value")), level = NumberOr(cosine.Field("level"));
    const double within = NumberOr(at.Field("cosine_within_span"));
    const double within_level = NumberOr(at.Field("cosine_within_span_level"));
    if (std::isnan(value) || std::isnan(level)) continue;
    // Below a mean is below the level, too: an analysis that has the mean alone can tell that it does not hold.
    const bool fails = !(value > level) || value <= within_level || value <= within;
    const Verdict verdict = fails                  ? Verdict::kDoesNotHold
                            : value > within_level ? Verdict::kHolds
                                                   : Verdict::kUndecided;
    findings.push_back(
        ByFact("K = " + k + ": " + rule, verdict,
               {Plain("cosine", value), Plain("95 % level of frames in R^d", level),
                Plain("95 % level of frames in span(B)", within_level), Plain("mean of frames in span(B)", within)},
               kSource, verdict == Verdict::kUndecided ? "the 95 % level of frames inside span(B)" : ""));
  }
  if (findings.empty()) findings.push_back(NotTestable(rule, NeedAnalysis(", of a model with levels")));
  return findings;
}

Findings AmplitudePr(const StudyInput& study) {
  const std::string rule = "exponent over K of the matrices' mean amplitude PR contains 0.5 and not 1";
  const std::string need = NeedAnalysis(", with three values of --k or more");
  if (study.analysis.is_null()) return {NotTestable(rule, need)};
  std::map<Index, std::vector<double>> by_k;
  for (const auto& [k, figures] : Analysis(study).Field("by_k").json().items()) {
    const io::JsonValue matrices = Analysis(study).Field("by_k").Field(k).Field("matrices");
    for (const auto& [name, figure] : matrices.json().items()) {
      by_k[std::stoll(k)].push_back(matrices.Field(name).Field("amplitude_pr").Field("value").Number());
    }
  }
  if (by_k.size() < 3) return {NotTestable(rule, need)};
  std::vector<double> ks;
  std::vector<std::vector<double>> pr;
  for (const auto& [k, values] : by_k) {
    if (values.size() != by_k.begin()->second.size()) return {NotTestable(rule, "every matrix at every K")};
    ks.push_back(static_cast<double>(k));
    pr.push_back(values);
  }
  Interval interval = BootstrapExponent(ks, pr);
  const bool contains = interval.Contains(0.5), narrow = interval.HalfWidth() <= kNarrowExponent;
  const Verdict verdict = !contains                         ? Verdict::kDoesNotHold
                          : narrow && !interval.Contains(1) ? Verdict::kHolds
                                                            : Verdict::kUndecided;
  return {ByFact(rule, verdict,
                 {{report::Format("exponent over %zu values of K, %zu matrices resampled", pr.size(), pr[0].size()),
                   interval, FigureUnit::kNumber}},
                 kSource, verdict == Verdict::kUndecided ? "more matrices, or more values of K" : "")};
}

Findings PrWithDepth(const StudyInput& study) {
  const std::string rule =
      "Kendall's τ of the layers' mean weight PR with depth is above 0, exact two-sided p at most 5 %";
  if (study.analysis.is_null() || !Analysis(study).Has("depth")) return {NotTestable(rule, NeedAnalysis())};
  const io::JsonValue tau = Analysis(study).Field("depth").Field("layer mean");
  const double value = NumberOr(tau.Field("value")), p = NumberOr(tau.Field("p"));
  if (std::isnan(value) || std::isnan(p)) return {NotTestable(rule, NeedAnalysis(", of several layers"))};
  const bool clear = p <= 0.05;
  const Verdict verdict = !clear ? Verdict::kUndecided : value > 0 ? Verdict::kHolds : Verdict::kDoesNotHold;
  return {ByFact(rule, verdict, {Plain(report::Format("τ (p %.2g)", p), value)}, kSource,
                 clear ? "" : "a model of more layers")};
}

}  // namespace ampgrad::train
