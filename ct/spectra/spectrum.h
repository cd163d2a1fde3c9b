#pragma once

#include <vector>

#include "tensor/real.h"

/// What a list of eigenvalues says. Definitions: λ(X) are the eigenvalues of XᵀX after subtracting the column means of
/// the rows X, descending.
namespace ampgrad::ct {

/// λ₁/Σλ; 0 when all are zero.
double FirstShare(const std::vector<double>& eigenvalues);

/// n_95: the least m with Σ_{i≤m} λ_i ≥ 0.95·Σλ, for eigenvalues in descending order.
Index CountFor95(const std::vector<double>& eigenvalues);

/// The participation ratio of a symmetric matrix, (tr G)²/‖G‖², from its two sums; 0 when it is zero.
double ParticipationRatio(double trace, double squares);

/// (n−1)·d/((n−1)+d+1): the participation ratio of n rows of d independent Gaussian numbers, as a ratio of
/// expectations.
double IidParticipationRatio(Index n, Index d);

/// The upper edge of the spectrum of n rows of d independent numbers of this variance, (1 + √(d/n))²·n·variance
/// (Marchenko and Pastur, Math. USSR Sbornik 1, 1967).
double MarchenkoPasturEdge(Index n, Index d, double variance);

/// The part of Σλ in the eigenvalues above `edge`.
double ShareAbove(const std::vector<double>& eigenvalues, double edge);

/// Σ_{i≤k} λ_i / Σλ.
double TopShare(const std::vector<double>& eigenvalues, Index k);

}  // namespace ampgrad::ct
