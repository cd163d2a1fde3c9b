#pragma once

#include "ct/basis.h"
#include "tensor/tensor.h"
#include "train/corpus/bigrams.h"
#include "train/corpus/doubles.h"

namespace ampgrad::corpus {

/// The second moments of embeddings E [V, d] under the frequencies of a text: how channels go together in one token and
/// in two neighbours.
struct ChannelMoments {
  Doubles unigram;  // EᵀDE [d, d], D = diag(frequency of each token)
  Doubles bigram;   // EᵀPE [d, d], P[a, b] = share of the pair (a, b) among all pairs of neighbours
};

/// Reads the rows of `embedding` [V, d] block by block: products are in Real and summed in double, and nothing of V x V
/// numbers exists. Throws std::invalid_argument when the counts are of another vocabulary.
ChannelMoments ComputeMoments(const Tensor& embedding, const Bigrams& counts);

/// The same of no text at all: every token has frequency 1/V, every pair 1/V². What these predict the embedding
/// predicts, and no corpus.
ChannelMoments UniformMoments(const Tensor& embedding);

/// Features [d, 3K + 3] of the channels r = 1…d: the r-th rows of EᵀDE, EᵀPE and (EᵀPE)ᵀ, each projected on B, then the
/// norms of these three rows. Throws std::invalid_argument when the basis has another width.
Doubles ChannelFeatures(const ChannelMoments& moments, const ct::Basis& basis);

}  // namespace ampgrad::corpus
