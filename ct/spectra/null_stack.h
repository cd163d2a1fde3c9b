#pragma once

#include <cstdint>

#include "ct/spectra/figure.h"
#include "ct/spectra/stack.h"

/// A stack without structure: every row keeps its norm about the mean row and gets a random direction. Its figures are
/// what chance gives for those of the stack.
namespace ampgrad::ct {

/// The figures of draws of such a stack.
struct StackNull {
  int draws;
  bool drawn_rows;  // whether rows were drawn; else only the whole stack's spectrum, from Wishart matrices
  std::vector<std::vector<double>> eigenvalues;             // [draws][d] of the whole stack
  std::vector<std::vector<double>> matrix_pr;               // [parts][draws]
  std::map<Index, std::vector<double>> layer_pr;            // [draws]
  std::vector<std::vector<std::vector<double>>> matrix_r2;  // [parts][K values][draws]

  /// Whether there are draws enough of rows to test a matrix or a layer by them.
  bool TestsRows() const { return drawn_rows && draws >= static_cast<int>(kFewestDraws); }
};

/// The most numbers that the draws of a stack take by default.
inline constexpr Index kMostDrawn = Index{1} << 27;

/// Draws the stack of `spectra` as often as `most` numbers allow, at most 200 times. `ks` are ascending. A stack with
/// more numbers is drawn once, and without rows: those of like norm, in steps of 5 %, are a Wishart matrix, which is
/// drawn by its triangular factor (Bartlett, Proc. R. Soc. Edinburgh 53, 1933); their norms then vary as Gaussian ones
/// do.
StackNull DrawStackNull(const std::vector<StackPart>& parts, const StackSpectra& spectra, const std::vector<Index>& ks,
                        uint64_t seed, Index most = kMostDrawn);

/// The participation ratio of rows with these squared norms and random directions, without draws: its mean and
/// deviation to first order. With q the squared norms and T = Σq, uncentred, E‖G‖² = Σq² + (T² − Σq²)/d and
/// Var‖G‖² = 2((Σq²)² − Σq⁴)(3/(d(d+2)) − 1/d²), because the squared cosines of different pairs of rows are
/// uncorrelated; centring takes one row away.
Figure AgainstRandomDirections(double value, const std::vector<double>& row_squares, Index d);

}  // namespace ampgrad::ct
