#include "train/claims/claims.h"

#include <algorithm>

#include "train/claims/finding.h"

namespace ampgrad::train {
namespace {

using Studies = std::vector<const StudyInput*>;

// A claim is judged for each study, or once for studies of several widths.
struct Claim {
  const char* id;
  const char* words;
  Findings (*judge)(const StudyInput&) = nullptr;
  Findings (*across)(const Studies&) = nullptr;
};

constexpr Claim kTable[] = {
    {"C1", "amplitude-only reaches about 92 % of full SFT with 2.3 % of the numbers (S72)", SmallKReachesFull},
    {"C2", "K = 8 suffices at d = 256 (S72)", EightSuffice},
    {"C3", "the basis is universal: shared structure matters (S72, S76)", UniversalBeatsRandom},
    {"C4", "top directions matter", TopBeatsBottom},
    {"C5", "a lossy start is no obstacle (S76)", LossyStart},
    {"C6", "phases over K: destructive, breakeven, superlinear (S78)", Phases},
    {"C7", "at K = d/32 it surpasses full SFT (S78)", SurpassesFull},
    {"C8", "K = 128 at d = 2048, d/16, gives about 170 % (S78)", SixteenthOfWidth},
    {"C9", "implicit regularisation (S78)", Regularises},
    {"C10", "the best K goes as d^0.6 (S76), as d/32 (S78)", nullptr, BestKWithWidth},
    {"C11", "a floor of about 50 %: half of the gradient signal survives projection (S76)", GradientFloor},
    {"C12", "the structure of LoRA for less (S72, S78)", LoraForLess},
    {"C13", "projection layers carry a third (S62)", ProjectionsThird},
    {"C14", "matrices of low PR can be frozen early, 2 to 3 times faster (S62)", EarlyFreezing},
    {"C15", "scores are not predictable from the corpus (S62)", CorpusPredicts},
    {"C16", "the alignment of principal components with EᵀE is moderate (S62)", Alignment},
    {"C17", "amplitude PR goes as √K (S68)", AmplitudePr},
    {"C18", "weight PR rises with depth (S68)", PrWithDepth},
    {"C19", "variants are 32 times smaller (S72)", SmallVariants},
    {"C20", "optimizer memory is 112 times smaller (S76)", OptimizerMemory},
    {"C21", "the least K over d, 0.78 %, is a universal constant (S78)", LeastK},
    {"C22", "efficiency falls with scale, from 92 to 53 % (S76)", nullptr, FallsWithScale},
    {"C23", "weight PR explodes with scale (S76)", nullptr, WeightPrWithScale},
    {"C24", "training rapidly closes the gap to full SFT (S72)", GapCloses},
    {"C25", "the marginal return per K is constant above breakeven (S78)", ConstantReturns},
    {"C26", "a matrix of PR about 1 is crystallizable (S62)", LowPrIsCrystallizable},
    {"C27", "LoRA must find by training what the universal basis is given (S72, S78)", LoraFindsTheBasis},
};
static_assert(std::size(kTable) == kClaims);

// A claim about every width at once holds if it holds for each study, of two or more.
Finding OverStudies(const std::vector<Finding>& each) {
  Finding all = {.id = each[0].id, .claim = each[0].claim, .rule = each[0].rule + ", at every width"};
  std::vector<Verdict> verdicts;
  for (const Finding& finding : each) {
    verdicts.push_back(finding.verdict);
    all.arms.push_back(finding.study);
  }
  all.verdict = AllOf(verdicts);
  if (all.verdict == Verdict::kUndecided || all.verdict == Verdict::kNotTestable) {
    all.decides = "what decides it for each study";
  }
  return all;
}

}  // namespace

std::vector<Finding> JudgeClaims(const std::vector<StudyInput>& studies) {
  Studies by_width;
  for (const StudyInput& study : studies) {
    const bool known = std::ranges::any_of(by_width, [&](const auto* other) { return other->width == study.width; });
    if (study.width > 0 && !known) by_width.push_back(&study);
  }
  std::ranges::stable_sort(by_width, {}, [](const StudyInput* study) { return study->width; });
  std::vector<Finding> findings;
  const auto add = [&](const Claim& claim, Findings judged, const std::string& study) {
    for (Finding& finding : judged) {
      finding.id = claim.id;
      finding.claim = claim.words;
      finding.study = study;
      findings.push_back(std::move(finding));
    }
  };
  for (const Claim& claim : kTable) {
    const size_t first = findings.size();
    if (claim.judge) {
      for (const StudyInput& study : studies) add(claim, claim.judge(study), study.name);
    } else {
      add(claim, claim.across(by_width), "");
    }
    if (claim.judge == LeastK && studies.size() > 1) {
      findings.push_back(OverStudies({findings.begin() + static_cast<std::ptrdiff_t>(first), findings.end()}));
    }
  }
  return findings;
}

}  // namespace ampgrad::train
