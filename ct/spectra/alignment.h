#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

/// How a frame of K orthonormal rows lies to K orthonormal directions, from their products M = frame·directionsᵀ
/// [K, K].
namespace ampgrad::ct {

/// The products, in double.
std::vector<double> FrameProducts(const Tensor& frame, const Tensor& directions);

/// ‖M‖²/K: the mean squared cosine between the spans.
double SubspaceOverlap(const std::vector<double>& products, Index k);

/// The mean over the rows of M of their largest absolute entry.
double MeanMaxCosine(const std::vector<double>& products, Index k);

/// Draws of both for random frames: the directions stay.
struct AlignmentDraws {
  std::vector<double> subspace_overlap;  // of random K-frames in R^d; its mean is K/d
  std::vector<double> mean_max_cosine;   // of the same frames
  std::vector<double> within_span;       // mean_max_cosine of random K-frames inside the span of the given frame
};
AlignmentDraws DrawAlignment(const std::vector<double>& products, Index k, Index d, int draws, uint64_t seed);

/// The row-major product a·b of [k, k] matrices.
std::vector<double> SquareProduct(const std::vector<double>& a, const std::vector<double>& b, Index k);

}  // namespace ampgrad::ct
