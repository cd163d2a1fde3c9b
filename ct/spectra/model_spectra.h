#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ct/bases.h"
#include "ct/spectra/figure.h"
#include "ct/spectra/null_stack.h"
#include "ct/spectra/score_sums.h"

/// Every spectral figure of a model, beside what chance gives.
///
/// Letters: R [N, d] all rows stacked, repeats included, and μ their mean; R_m [n, d] the rows of one matrix; B [K, d]
/// the basis; S_m = (R_m − μ)·Bᵀ [n, K] the scores of one matrix, and S those of all. λ(X) as in spectrum.h. PR is the
/// participation ratio (Σλ)²/Σλ², PC1 the share λ₁/Σλ, n95 the least number of λ with 95 % of their sum.
namespace ampgrad::ct {

/// What is measured.
struct SpectraOptions {
  std::vector<Index> ks;                    // ascending, each in 1..d
  BasisKind basis = BasisKind::kUniversal;  // one whose first vectors are the basis of a smaller K
  bool nulls = true;                        // whether chance is drawn
  uint64_t seed = 1;                        // draws chance, and a random basis
  nn::Matrix* embedding = nullptr;          // E [V, d] for the alignment; null: none
};

/// Figures of one matrix's scores for one K. The null of R² is the same figure of the drawn stack; that of the PR, PC1
/// and the correlation permutes columns; that of kurtosis is Gaussian; that of the cosine is a random frame in span(B).
struct MatrixScores {
  Figure r2;                 // 1 − ‖R_m − μ − S_m·B‖²/‖R_m − μ‖²
  Figure amplitude_pr, pc1;  // of λ(S_m)
  Figure max_corr, kurtosis;
  Figure mean_max_cosine;  // of the principal components of S_m, lifted to width d, with the top directions of EᵀE
  Index n95;
};

/// One matrix.
struct MatrixSpectra {
  std::string name, type;
  Index layer;  // −1: of no layer
  Index rows;
  double norm;      // ‖R_m − μ‖
  Figure strength;  // mean of ‖r − μ‖² relative to its kind in all layers; chance deals these rows out at random
  Figure weight_pr;  // of λ(R_m)
  double iid_pr;     // of rows of independent Gaussian numbers
  std::map<Index, MatrixScores> by_k;
  ScoreSums sums;                 // over the scores of the largest K
  std::vector<double> histogram;  // shares of the scores of the largest K in kHistogramBins bins of ±4 deviations
};

/// One layer.
struct LayerSpectra {
  Index layer;
  double pr_mean;     // mean of its matrices' PR: the papers' "weight PR" of a layer
  Figure strength;    // mean of its matrices' strengths
  Figure pr_stacked;  // of its rows stacked
};

/// One K, over all rows.
struct KFigures {
  Figure r2;                 // beside the top-K share of the drawn stack
  double variance_captured;  // Σ_{i≤K} λ_i/Σλ: the same by identity for the universal basis
  double random_level;       // K/d
  double amplitude_pr, pc1;  // of λ(S); for the universal basis λ(S) = λ_1…λ_K of R, so they are the weights' alone
  Index n95;
  double spectrum_pr;                        // PR of λ_1…λ_K of R
  Index scores;                              // how many: N·K
  Figure subspace_overlap, mean_max_cosine;  // of B with the top-K directions of EᵀE; nulls: random frames
  double cosine_within_span;                 // mean_max_cosine of random frames inside span(B): their mean,
  double cosine_within_level;                // and what they pass 5 times of 100
};

/// A whole model.
struct ModelSpectra {
  Index rows, width;                     // N and d
  Figure weight_pr;                      // of λ(R)
  double iid_pr;                         // of as many rows of independent Gaussian numbers
  Index n95_weights;                     // of λ(R)
  std::vector<double> eigenvalues;       // λ(R)
  std::vector<double> null_eigenvalues;  // of one drawn stack; empty without nulls
  double edge;                           // Marchenko–Pastur's upper edge
  Figure share_above_edge;               // the part of Σλ(R) above it
  int stack_draws;                       // of the stack without structure; 0 without nulls
  bool drawn_rows;                       // StackNull::drawn_rows
  std::vector<MatrixSpectra> matrices;
  std::vector<LayerSpectra> layers;
  std::map<Index, KFigures> by_k;
  // Kendall's τ of PR with depth, with its exact p: by type of matrix, "layer mean" and "layer stacked".
  std::map<std::string, Figure> depth;
  Basis basis;  // the universal one, with the largest K

  /// All figures, for what looks at each.
  std::vector<Figure*> Figures();
};

/// Measures a model's rows. `sources` are in the model's order. `progress` is told what begins. Throws
/// std::invalid_argument as MeasureStack does, and for a kind of basis whose first vectors are not the smaller basis.
ModelSpectra MeasureSpectra(const std::vector<RowSource>& sources, const SpectraOptions& options,
                            const std::function<void(const std::string&)>& progress = nullptr);

/// Bins of a histogram of scores.
inline constexpr int kHistogramBins = 32;

}  // namespace ampgrad::ct
