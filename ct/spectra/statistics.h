#pragma once

#include <vector>

/// Probabilities of textbook distributions.
namespace ampgrad::ct {

/// P(T > t) for Student's t with `dof` degrees of freedom; infinite dof: the normal distribution.
double StudentTail(double t, double dof);

/// The t that Student's t exceeds with probability `tail` < 0.5.
double StudentPoint(double tail, double dof);

/// Which of several tests survive Holm's correction at 5 % (Scand. J. Statist. 6, 1979): with probability 0.95 chance
/// alone makes none survive. A p that is NaN is no test.
std::vector<bool> SurviveHolm(const std::vector<double>& ps);

/// log y over log x, fitted by least squares.
struct LogFit {
  double slope;
  double error;  // of the slope, by the residuals; NaN for two points
};
/// At least two different x; all positive.
LogFit FitLogs(const std::vector<double>& x, const std::vector<double>& y);

/// Kendall's τ of a sequence with its order.
struct KendallTau {
  double tau;  // (concordant − discordant pairs)/(n(n−1)/2); NaN for fewer than two values
  double p;    // exact, two-sided: the share of all n! orders whose |τ| is at least as large; equal values count half
  double level;  // just below the least |τ| whose p is at most 0.05; NaN when n is too small for one
};
/// Throws std::invalid_argument when a value is not finite.
KendallTau KendallWithOrder(const std::vector<double>& values);

}  // namespace ampgrad::ct
