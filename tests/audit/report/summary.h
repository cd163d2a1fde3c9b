#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/audit/findings.h"

/// What the reports say alike: what failed and why, and the figures that sum up many findings.
namespace ampgrad::audit {

/// The larger of two errors. A NaN is worse than any number.
double Worse(double a, double b);

/// The smaller of two numbers, or NaN if one is NaN.
double Least(double a, double b);

/// The part of `OpFinding::Passed` that the Taylor remainder decides.
bool SlopeHolds(const OpFinding& finding);

/// Whether a finding passed on finite numbers alone: an infinite error does not exceed an infinite bound, and yet
/// nothing was shown. The slope of a straight op is not looked at.
bool Holds(const OpFinding& finding);
bool Holds(const IdentityFinding& finding);
bool Holds(const KernelFinding& finding);
bool Holds(const MutantFinding& finding);
bool Holds(const LedgerEntry& entry);

/// A check that did not pass: "op softmax (3x5, x)" and "adjoint error 1.0e-03, bound 1.0e-10".
struct Failure {
  std::string check, reason;
};

/// All failures in the order of the findings. Findings without any check are a failure too.
std::vector<Failure> Failures(const Findings& findings);

/// The number of single findings.
Index CountChecks(const Findings& findings);

/// "PASSED: 220 checks", "FAILED: 2 of 220 checks", "FAILED: nothing was checked".
std::string Headline(const Findings& findings);

/// One op over all its shapes and inputs. Points into the findings.
struct OpSummary {
  std::string op;
  std::vector<const OpFinding*> findings;
  Index shapes = 0;
  double complex_step_error = 0, adjoint_error = 0;  // the worst
  double least_bound = 0, greatest_bound = 0;
  bool straight = true;  // in every input; else the slopes are those of the other inputs
  double least_slope = 0, greatest_slope = 0;
  bool passed = true;

  /// "1.0e-10", or "1.0e-12 to 1.0e-10" where the findings differ.
  std::string Bound() const;
  /// "1.998 to 2.003", or "straight".
  std::string Slope() const;
};

/// The ops in the order of their first findings.
std::vector<OpSummary> SummarizeOps(const Findings& findings);

/// The kernels by targets, both in the order of their first findings.
struct KernelGrid {
  std::vector<std::string> kernels, targets;
  /// [kernel][target]: the worst share, nothing where the kernel did not run on the target.
  std::vector<std::vector<std::optional<double>>> shares;
};

KernelGrid SummarizeKernels(const Findings& findings);

/// How many of the planted faults were noticed.
struct MutationScore {
  Index faults = 0, killed = 0, common_killed = 0;
};

MutationScore ScoreMutants(const Findings& findings);

}  // namespace ampgrad::audit
