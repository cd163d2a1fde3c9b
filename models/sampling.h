#pragma once

#include "tensor/real.h"

namespace ampgrad::models {

/// How a token is chosen from its logits. The three apply in the order of Hugging Face: temperature, top-k, top-p.
struct SamplingOptions {
  double temperature = 0;  // divides the logits; 0: always the likeliest token
  Index top_k = 0;         // only the k likeliest; 0: all
  double top_p = 1;        // only the fewest likeliest whose probability reaches p, one at least; 1: all
};

/// An id in 0..vocab − 1. `uniform` in [0, 1) decides, and equal arguments give equal ids; of equally likely tokens the
/// lowest id comes first. Throws std::runtime_error when a logit is NaN or +∞, or all are −∞.
int SampleToken(const Real* logits, Index vocab, const SamplingOptions& options, double uniform);

}  // namespace ampgrad::models
