#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace ampgrad::train {

/// A learning rate that was tried, and the validation loss at the end of its run: infinite when the run diverged.
struct TriedRate {
  double lr;
  double loss;
};

struct RateSearch {
  /// The rate of the lowest loss. NaN when every run diverged.
  double lr = NAN;
  /// Every rate that was tried, from low to high. Empty when there was no choice.
  std::vector<TriedRate> tried;
  /// Whether no worse rate was seen on one side of it, although the search went on beyond the grid.
  bool at_edge = false;
};

/// Tries each rate of `grid`. While the best one is the lowest or the highest tried, tries the next one beyond it, of
/// 1 and 3 times the powers of ten, but at most eight more. A grid of one rate is taken without a run. `loss_of`: the
/// loss that a short run at this rate ends with, infinite when it diverges.
RateSearch SearchRate(std::vector<double> grid, const std::function<double(double lr)>& loss_of);

/// A rate and its two neighbours of 1 and 3 times the powers of ten.
std::vector<double> RatesAround(double rate);

/// The rate at which `norm_of` gives `norm` to within 2 %, from `lr` on by the secant rule in logarithms of both, which
/// grow together; at_edge where eight tries do not get there, and the nearest is taken. Nothing is listed as tried.
RateSearch MatchRate(double lr, double norm, const std::function<double(double lr)>& norm_of);

/// "0.001: 2.5310, 0.003: 2.4107, 0.01: diverged".
std::string Describe(const std::vector<TriedRate>& tried);

}  // namespace ampgrad::train
