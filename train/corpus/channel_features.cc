#include "train/corpus/channel_features.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>

#include "ct/gram.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/thread_pool.h"

namespace ampgrad::corpus {
namespace {

constexpr Index kRowsOfTask = 16;

// Writes row i [d] of the right side of a moment.
using RowMaker = std::function<void(Index i, double* row)>;

// Σ_i E[tokens[i]]ᵀ·right_i [d, d]
Doubles Moment(const Tensor& embedding, const std::vector<int>& tokens, const RowMaker& right) {
  const Index d = embedding.cols(), count = static_cast<Index>(tokens.size());
  Doubles moment(d, d);
  Tensor product = Tensor::Uninitialized({d, d});
  for (Index begin = 0; begin < count; begin += ct::kGramRows) {
    const Index n = std::min(ct::kGramRows, count - begin);
    Tensor left = Tensor::Uninitialized({n, d}), weighted = Tensor::Uninitialized({n, d});
    ParallelChunks(n, kRowsOfTask, [&](Index first, Index last) {
      std::vector<double> row(static_cast<size_t>(d));
      for (Index i = first; i < last; ++i) {
        std::copy_n(embedding.row(tokens[begin + i]), d, left.row(i));
        right(begin + i, row.data());
        std::transform(row.begin(), row.end(), weighted.row(i), [](double x) { return static_cast<Real>(x); });
      }
    });
    kernels::Gemm(d, d, n, {left.data(), d, true}, {weighted.data(), d}, {}, product.data(), d);
    for (Index i = 0; i < d * d; ++i) moment.values[i] += product[i];
  }
  return moment;
}

// Where the pairs of each first token begin, and the end of all.
std::vector<size_t> FirstTokenStarts(const std::vector<Bigram>& pairs) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (i == 0 || pairs[i].first != pairs[i - 1].first) starts.push_back(i);
  }
  starts.push_back(pairs.size());
  return starts;
}

// row = factor·E[id]
void ScaledRow(const Tensor& embedding, int id, double factor, double* row) {
  std::transform(embedding.row(id), embedding.row(id) + embedding.cols(), row, [factor](Real x) { return factor * x; });
}

}  // namespace

ChannelMoments ComputeMoments(const Tensor& embedding, const Bigrams& counts) {
  if (static_cast<Index>(counts.unigrams.size()) != embedding.rows()) {
    throw std::invalid_argument("[corpus] expected counts of " + std::to_string(embedding.rows()) +
                                " tokens, the rows of the embedding, found " + std::to_string(counts.unigrams.size()));
  }
  const Index d = embedding.cols();
  const std::vector<int> seen = counts.Seen();
  ChannelMoments moments;
  moments.unigram = Moment(embedding, seen, [&](Index i, double* row) {
    ScaledRow(embedding, seen[i], static_cast<double>(counts.unigrams[seen[i]]) / static_cast<double>(counts.tokens),
              row);
  });
  const std::vector<size_t> starts = FirstTokenStarts(counts.pairs);
  std::vector<int> firsts;
  for (size_t i = 0; i + 1 < starts.size(); ++i) firsts.push_back(counts.pairs[starts[i]].first);
  moments.bigram = Moment(embedding, firsts, [&](Index i, double* row) {  // row i of P·E
    std::fill_n(row, d, 0.0);
    for (size_t p = starts[i]; p < starts[i + 1]; ++p) {
      const double share = static_cast<double>(counts.pairs[p].count) / static_cast<double>(counts.tokens - 1);
      const Real* other = embedding.row(counts.pairs[p].second);
      for (Index j = 0; j < d; ++j) row[j] += share * other[j];
    }
  });
  return moments;
}

ChannelMoments UniformMoments(const Tensor& embedding) {
  const Index d = embedding.cols();
  const double share = 1 / static_cast<double>(embedding.rows());
  std::vector<int> all(static_cast<size_t>(embedding.rows()));
  std::iota(all.begin(), all.end(), 0);
  std::vector<double> mean(static_cast<size_t>(d), 0.0);
  for (const int id : all) {
    for (Index j = 0; j < d; ++j) mean[j] += share * embedding.row(id)[j];
  }
  ChannelMoments moments{
      Moment(embedding, all, [&](Index i, double* row) { ScaledRow(embedding, all[i], share, row); }), Doubles(d, d)};
  for (Index i = 0; i < d; ++i) {
    for (Index j = 0; j < d; ++j) moments.bigram.row(i)[j] = mean[i] * mean[j];
  }
  return moments;
}

Doubles ChannelFeatures(const ChannelMoments& moments, const ct::Basis& basis) {
  const Index d = moments.unigram.rows, k = basis.k();
  if (basis.width() != d) {
    throw std::invalid_argument("[corpus] expected a basis of width " + std::to_string(d) + ", that of the embedding" +
                                ", found " + std::to_string(basis.width()));
  }
  const Doubles transposed = Transposed(moments.bigram);
  const Doubles* sides[] = {&moments.unigram, &moments.bigram, &transposed};
  Doubles features(d, 3 * k + 3);
  ParallelChunks(d, kRowsOfTask, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      for (Index side = 0; side < 3; ++side) {
        const double* row = sides[side]->row(r);
        for (Index i = 0; i < k; ++i) {
          features.row(r)[side * k + i] = std::inner_product(row, row + d, basis.vectors.row(i), 0.0);
        }
        features.row(r)[3 * k + side] = std::sqrt(std::inner_product(row, row + d, row, 0.0));
      }
    }
  });
  return features;
}

}  // namespace ampgrad::corpus
