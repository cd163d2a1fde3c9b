#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "train/claims/claims.h"
#include "train/study/efficiency.h"

/// What the functions that judge a claim share. Each returns its findings without id, claim and study.
namespace ampgrad::train {

using Findings = std::vector<Finding>;

/// Nothing here can decide it.
Finding NotTestable(std::string rule, std::string decides);

/// One threshold for every figure, corrected by Holm.
Finding ByThreshold(std::string rule, std::vector<ClaimFigure> figures, Side side, double bound,
                    std::vector<std::string> arms);

/// A figure that must contain a value.
Finding ByContains(std::string rule, ClaimFigure figure, double value, double widest,
                   const std::vector<double>& alternatives, std::vector<std::string> arms);

/// A verdict by a count or by figures without seeds.
Finding ByFact(std::string rule, Verdict verdict, std::vector<ClaimFigure> figures, std::vector<std::string> arms,
               std::string decides = {});

/// "from-base efficiency, exact K=8".
ClaimFigure EfficiencyFigure(const StudyRuns& runs, const Arm& arm, Gain gain);
/// End loss of `a` less that of `b`, by seed.
SeedValues EndLossDifference(const StudyRuns& runs, const Arm& a, const Arm& b);
ClaimFigure EndLossFigure(const StudyRuns& runs, const Arm& a, const Arm& b);

/// A number without an interval.
ClaimFigure Plain(std::string name, double value, FigureUnit unit = FigureUnit::kNumber);

const char* ToString(Gain gain);
/// Both starts of amplitude, the papers' first.
inline constexpr ct::Start kStarts[] = {ct::Start::kReconstructed, ct::Start::kExact};
/// The K at which the plans compare arms: the greatest of the K curve up to 8, and up to 32.
std::vector<Index> ComparedKs(const StudyRuns& runs);
/// How many numbers an arm trains.
Index TrainedBy(const StudyRuns& runs, const Arm& arm);
/// The LoRA that trains about as many numbers as `scores`: the nearest, within a factor of 1.5; null without one.
const Arm* MatchedLora(const StudyRuns& runs, const Arm& scores);

// Of one study.
Findings SmallKReachesFull(const StudyInput& study);      // C1
Findings EightSuffice(const StudyInput& study);           // C2
Findings LossyStart(const StudyInput& study);             // C5
Findings Phases(const StudyInput& study);                 // C6
Findings SurpassesFull(const StudyInput& study);          // C7
Findings SixteenthOfWidth(const StudyInput& study);       // C8
Findings OptimizerMemory(const StudyInput& study);        // C20
Findings LeastK(const StudyInput& study);                 // C21
Findings ConstantReturns(const StudyInput& study);        // C25
Findings UniversalBeatsRandom(const StudyInput& study);   // C3
Findings TopBeatsBottom(const StudyInput& study);         // C4
Findings Regularises(const StudyInput& study);            // C9
Findings GradientFloor(const StudyInput& study);          // C11
Findings LoraForLess(const StudyInput& study);            // C12
Findings ProjectionsThird(const StudyInput& study);       // C13
Findings GapCloses(const StudyInput& study);              // C24
Findings EarlyFreezing(const StudyInput& study);          // C14
Findings SmallVariants(const StudyInput& study);          // C19
Findings LowPrIsCrystallizable(const StudyInput& study);  // C26
Findings LoraFindsTheBasis(const StudyInput& study);      // C27
// Of its analysis.json.
Findings CorpusPredicts(const StudyInput& study);  // C15
Findings Alignment(const StudyInput& study);       // C16
Findings AmplitudePr(const StudyInput& study);     // C17
Findings PrWithDepth(const StudyInput& study);     // C18
// Of several.
Findings BestKWithWidth(const std::vector<const StudyInput*>& studies);     // C10
Findings FallsWithScale(const std::vector<const StudyInput*>& studies);     // C22
Findings WeightPrWithScale(const std::vector<const StudyInput*>& studies);  // C23

}  // namespace ampgrad::train
