#pragma once

#include <cstddef>
#include <limits>
#include <vector>

/// Figures beside the level that chance would give.
namespace ampgrad::ct {

/// What a standard normal number exceeds in size 5 times of 100.
inline constexpr double kTwoSidedPoint = 1.959963984540054;

/// No such number.
inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Which way structure moves a figure away from chance.
enum class Structure { kHigh, kLow, kBoth };

/// A figure and what chance gives; kNone where there is no such number.
struct Figure {
  double value = kNone;
  double null = kNone;   // the mean of chance
  double level = kNone;  // what chance passes, in the direction of structure, 5 times of 100; of kBoth, its upper end
  double p = kNone;      // the probability that chance goes as far as the value; kNone: not tested
  Structure structure = Structure::kHigh;
  bool marked = false;  // whether it survives MarkByHolm

  bool tested() const { return p == p; }
  /// Whether the value lies beyond the 95 % level.
  bool Exceeds() const {
    if (structure == Structure::kBoth) return (value > null ? value - null : null - value) > level - null;
    return structure == Structure::kHigh ? value > level : value < level;
  }
};

/// A figure without a test.
inline Figure Untested(double value, double null = kNone) { return {.value = value, .null = null}; }

/// The value against draws of chance. Up to the 80 % quantile of the draws, p is counted: (1 + draws as far)/(1 + n).
/// Beyond it the tail is exponential with the mean excess of the farthest fifth, which overstates p for every tail that
/// falls faster, as those of all figures here do: so few draws reach the small p that many tests at once ask for
/// (after Knijnenburg et al., Bioinformatics 25, 2009, with the shape of their tail fixed at 0).
Figure AgainstDraws(double value, std::vector<double> draws, Structure structure);

/// The value against a nearly normal figure of chance with this mean and deviation, estimated from `draws` draws
/// (Student's t for one more draw), or known: infinitely many.
Figure AgainstNormal(double value, double mean, double deviation, double draws, Structure structure);
/// The fewest draws that a test takes its mean and deviation from.
inline constexpr size_t kFewestDraws = 20;
/// The same, with mean and deviation of these draws; not tested for fewer than kFewestDraws.
Figure AgainstMoments(double value, const std::vector<double>& draws, Structure structure);

/// Marks the figures that survive Holm's correction. Figures that are not tested are left out.
void MarkByHolm(const std::vector<Figure*>& figures);

}  // namespace ampgrad::ct
