// The claims about what scores are: C19, C26 and C27.
#include <algorithm>
#include <cmath>

#include "ct/spectra/statistics.h"
#include "train/claims/finding.h"
#include "train/report/format.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

double Over(Index a, Index b) { return static_cast<double>(a) / static_cast<double>(b); }

Finding OfFile(const StudyInput& study, const WrittenFile& file) {
  const Index whole = file.scores + file.frozen, own = file.scores - file.basis;
  const double smaller = Over(file.model, whole);
  std::vector<ClaimFigure> figures = {
      Plain("model over the whole file (" + report::Grouped(file.model) + " and " + report::Grouped(whole) + " bytes)",
            smaller),
      Plain("model over the scores alone, where variants share model and basis (" + report::Grouped(own) + " bytes)",
            Over(file.model, own)),
      Plain("held-out loss of the model read back", file.loss)};
  if (!study.runs.runs().empty()) {
    figures.push_back(Plain("the same less that of the given model", file.loss - study.runs.runs().front().base_loss,
                            FigureUnit::kLoss));
  }
  return ByFact(file.arm +
                    ": the whole written file, with the tensors that are not rebuilt from scores, is at least "
                    "30 times smaller than the model's",
                smaller >= 30 ? Verdict::kHolds : Verdict::kDoesNotHold, figures, {SourceOf(file)});
}

struct OverlapFigures {
  SeedValues end, rise;
};

OverlapFigures OverlapOf(const StudyRuns& runs, const Arm& lora) {
  return {runs.Of(lora, [](const StudyRun& run) { return run.overlap.empty() ? NAN : run.overlap.back().share; }),
          runs.Of(lora, [](const StudyRun& run) {
            return run.overlap.size() < 2 ? NAN : run.overlap.back().share - run.overlap.front().share;
          })};
}

}  // namespace

Findings SmallVariants(const StudyInput& study) {
  Findings findings;
  for (const WrittenFile& file : study.files) {
    if (file.model > 0 && file.scores > file.basis) findings.push_back(OfFile(study, file));
  }
  if (!findings.empty()) return findings;
  return {NotTestable("the whole written file is at least 30 times smaller than the model's",
                      "the bytes of a written file, frozen tensors included, and the loss that it gives")};
}

Findings LowPrIsCrystallizable(const StudyInput& study) {
  const std::string rule =
      "Kendall's τ over matrices, of the PR of their scores with the loss that cutting them to the first component "
      "costs, is above 0, exact two-sided p at most 5 %";
  std::vector<CutScores> cuts = study.cuts;
  if (cuts.size() < 2) return {NotTestable(rule, "losses with one matrix's scores cut to their first component")};
  // Of matrices of equal PR the one that costs more comes first: they count against the claim.
  std::ranges::sort(
      cuts, [](const CutScores& a, const CutScores& b) { return a.pr != b.pr ? a.pr < b.pr : a.rise > b.rise; });
  std::vector<double> rises;
  for (const CutScores& cut : cuts) rises.push_back(cut.rise);
  const ct::KendallTau tau = ct::KendallWithOrder(rises);
  const bool clear = tau.p <= 0.05;
  const Verdict verdict = !clear ? Verdict::kUndecided : tau.tau > 0 ? Verdict::kHolds : Verdict::kDoesNotHold;
  const auto at = [](const char* which, const CutScores& cut) {
    return Plain(report::Format("loss that it costs at the %s PR, %.3g (%s)", which, cut.pr, cut.matrix.c_str()),
                 cut.rise, FigureUnit::kLoss);
  };
  return {ByFact(rule, verdict,
                 {Plain(report::Format("τ over %zu matrices (p %.2g)", cuts.size(), tau.p), tau.tau),
                  at("lowest", cuts.front()), at("highest", cuts.back())},
                 {kCutSource}, clear ? "" : "a model of more matrices: the order does not decide")};
}

Findings LoraFindsTheBasis(const StudyInput& study) {
  const std::string rule =
      "‖P·Bᵀ‖²/r, of the r directions P of LoRA's A with the first r of the basis, is above r/d, its mean by chance, "
      "at the end, and rises during training";
  std::vector<ClaimFigure> figures;
  std::vector<std::string> names;
  for (const Arm* arm : study.runs.Arms()) {
    const bool trains_a = arm->method.method == "lora" && arm->method.factors == FactorSource::kDefault;
    if (!trains_a || !study.runs.IsComparable(*arm) || study.width == 0) continue;
    const auto [end, rise] = OverlapOf(study.runs, *arm);
    if (end.values.empty() && end.diverged.empty()) continue;
    const double chance = Over(arm->method.rank, study.width);
    const SeedValues above = Paired(end, end, [chance](double share, double) { return share - chance; });
    figures.push_back(
        {report::Format("%s: overlap at the end less r/d, %.1f %%", arm->name.c_str(), 100 * chance), Summary(above)});
    figures.push_back({arm->name + ": its rise since step 0", Summary(rise)});
    names.push_back(arm->name);
  }
  if (figures.empty()) {
    return {
        NotTestable(rule, "the overlap of A with span(B) at several steps of a LoRA run, and the width d (--width)")};
  }
  return {ByThreshold(rule, figures, Side::kAbove, 0, names)};
}

}  // namespace ampgrad::train
