#pragma once

#include <string>
#include <vector>

#include "ct/spectra/model_spectra.h"

/// How K scales: what the papers' laws say of a model's width, beside what its own spectrum says.
namespace ampgrad::train {

/// A law of a paper, applied to a width.
struct KLaw {
  std::string law;  // "K = d/32, S68's least"
  double k;         // what it gives
  double r2;        // of the weights at this K, rounded to 1..d
};

/// The least K at which the weights' R² reaches a level.
struct KNeeded {
  double r2;
  Index k;
  double part;  // K/d
};

/// A power law PR = c·K^exponent, fitted by least squares of the logarithms.
struct PowerFit {
  double exponent, low, high;  // 95 % interval by Student's t; NaN for fewer than three points
  Index first, last;           // the smallest and the largest K
  int points;
  /// Whether √K is in the interval.
  bool HoldsRoot() const { return low <= 0.5 && 0.5 <= high; }
};

/// The mean over the matrices of their amplitude PR for one of the measured K.
double MeanAmplitudePr(const ct::ModelSpectra& spectra, Index k);

struct KScaling {
  std::vector<KLaw> laws;
  std::vector<KNeeded> needed;
  // Of the PR of λ₁…λ_K, which is the amplitude PR of the universal basis, for K = 2, 4, 8, … up to d/2.
  PowerFit spectrum;
  PowerFit matrices;  // of the mean of the matrices' amplitude PR over the measured K
};
KScaling ScaleK(const ct::ModelSpectra& spectra);

}  // namespace ampgrad::train
