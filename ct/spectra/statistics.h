#pragma once

#include <vector>

/// Probabilities of textbook distributions.
namespace ampgrad::ct {

/// P(T > t) for Student's t with `dof` degrees of freedom; infinite dof: the normal distribution.
double StudentTail(double t, double dof);

/// The t that Student's t exceeds with probability `tail` < 0.5.
double StudentPoint(double tail, double dof);

/// Kendall's τ of a sequence with its order.
struct KendallTau {
  double tau;  // (concordant − discordant pairs)/(n(n−1)/2); NaN for fewer than two values
  double p;    // exact, two-sided: the share of all n! orders whose |τ| is at least as large; equal values count half
  double level;  // just below the least |τ| whose p is at most 0.05; NaN when n is too small for one
};
/// Throws std::invalid_argument when a value is not finite.
KendallTau KendallWithOrder(const std::vector<double>& values);

}  // namespace ampgrad::ct
