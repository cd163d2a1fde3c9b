#pragma once

#include "tensor/real.h"

namespace ampgrad::models {

/// How a token is chosen from the logits. The settings apply in the order of Hugging Face: temperature, top-k, top-p.
struct SamplingOptions {
  double temperature = 0;  // divides the logits; 0: always the likeliest token
  Index top_k = 0;         // only the k likeliest; 0: all
  double top_p = 1;        // only the likeliest, as few as together reach probability p, at least one; 1: all
};

/// An id in 0..vocab − 1, drawn by `uniform` in [0, 1): equal arguments give equal ids. Of equally likely tokens the
/// lowest id comes first. Throws std::runtime_error when a logit is NaN or +∞, or all are −∞.
int SampleToken(const Real* logits, Index vocab, const SamplingOptions& options, double uniform);

}  // namespace ampgrad::models
