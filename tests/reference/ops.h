#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "tensor/real.h"

/// Every op once more, forward only, written directly from its definition and as simply as
/// possible. With T = double these are the expected outputs. With T = std::complex<double> they
/// give the expected gradients by the complex step, f'(x) = Im f(x + ih) / h, which subtracts
/// nothing and so is exact to rounding even at h = 1e-30.
///
/// The complex step requires that every function is holomorphic along the real axis: no std::abs, no
/// conjugate, and branches (the maxima below) look at real parts only. Matrices are row-major.
namespace ampgrad::reference {

/// y = a + b.
template <class T>
std::vector<T> Add(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> y(a.size());
  for (size_t i = 0; i < a.size(); ++i) y[i] = a[i] + b[i];
  return y;
}

/// y = a ⊙ b.
template <class T>
std::vector<T> Mul(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> y(a.size());
  for (size_t i = 0; i < a.size(); ++i) y[i] = a[i] * b[i];
  return y;
}

/// y = factor·x.
template <class T>
std::vector<T> Scale(const std::vector<T>& x, double factor) {
  std::vector<T> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = factor * x[i];
  return y;
}

/// y_ij = g_i x_ij, x [n, d].
template <class T>
std::vector<T> ScaleRows(const std::vector<T>& x, const std::vector<T>& g, Index n, Index d) {
  std::vector<T> y(n * d);
  for (Index i = 0; i < n * d; ++i) y[i] = g[i / d] * x[i];
  return y;
}

/// y_nj = x_nj g_j + b_j, x [n, d]; an empty bias stands for no bias.
template <class T>
std::vector<T> ScaleColumns(const std::vector<T>& x, const std::vector<T>& g, const std::vector<T>& bias, Index n,
                            Index d) {
  std::vector<T> y(n * d);
  for (Index i = 0; i < n * d; ++i) y[i] = g[i % d] * x[i] + (bias.empty() ? T(0) : bias[i % d]);
  return y;
}

/// c with v_i added at positions_i.
template <class T>
std::vector<T> AddAt(std::vector<T> c, const std::vector<Index>& positions, const std::vector<T>& v) {
  for (size_t i = 0; i < positions.size(); ++i) c[positions[i]] += v[i];
  return c;
}

/// y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).
template <class T>
std::vector<T> Gelu(const std::vector<T>& x) {
  const double scale = std::sqrt(2.0 / M_PI);
  std::vector<T> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = 0.5 * x[i] * (1.0 + std::tanh(scale * (x[i] + 0.044715 * x[i] * x[i] * x[i])));
  }
  return y;
}

/// y = x / (1 + e^-x).
template <class T>
std::vector<T> Silu(const std::vector<T>& x) {
  std::vector<T> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] / (1.0 + std::exp(-x[i]));
  return y;
}

/// y [rows, width]: columns begin..begin+width of x [rows, cols].
template <class T>
std::vector<T> Columns(const std::vector<T>& x, Index rows, Index cols, Index begin, Index width) {
  std::vector<T> y(rows * width);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < width; ++j) y[i * width + j] = x[i * cols + begin + j];
  }
  return y;
}

/// y [ids, cols]: row ids[i] of the table [., cols].
template <class T>
std::vector<T> Embedding(const std::vector<T>& table, const std::vector<int>& ids, Index cols) {
  std::vector<T> y;
  for (const int id : ids) {
    for (Index j = 0; j < cols; ++j) y.push_back(table[id * cols + j]);
  }
  return y;
}

/// y_no = Σ_i x_ni W_oi + b_o with W [out, in]; an empty bias stands for no bias.
template <class T>
std::vector<T> LinearOutIn(const std::vector<T>& x, const std::vector<T>& weight, const std::vector<T>& bias,
                           Index rows, Index in, Index out) {
  std::vector<T> y(rows * out);
  for (Index n = 0; n < rows; ++n) {
    for (Index o = 0; o < out; ++o) {
      T sum = bias.empty() ? T(0) : bias[o];
      for (Index i = 0; i < in; ++i) sum += x[n * in + i] * weight[o * in + i];
      y[n * out + o] = sum;
    }
  }
  return y;
}

/// y_no = Σ_i x_ni W_io + b_o with W [in, out]; an empty bias stands for no bias.
template <class T>
std::vector<T> LinearInOut(const std::vector<T>& x, const std::vector<T>& weight, const std::vector<T>& bias,
                           Index rows, Index in, Index out) {
  std::vector<T> y(rows * out);
  for (Index n = 0; n < rows; ++n) {
    for (Index o = 0; o < out; ++o) {
      T sum = bias.empty() ? T(0) : bias[o];
      for (Index i = 0; i < in; ++i) sum += x[n * in + i] * weight[i * out + o];
      y[n * out + o] = sum;
    }
  }
  return y;
}

/// Row by row: y = gain ⊙ (x - mean) / √(var + eps) + bias, var = mean of (x - mean)².
template <class T>
std::vector<T> LayerNorm(const std::vector<T>& x, const std::vector<T>& gain, const std::vector<T>& bias, Index rows,
                         Index cols, double eps) {
  const double n = static_cast<double>(cols);
  std::vector<T> y(rows * cols);
  for (Index i = 0; i < rows; ++i) {
    const T* row = &x[i * cols];
    T mean = 0;
    for (Index j = 0; j < cols; ++j) mean += row[j] / n;
    T variance = 0;
    for (Index j = 0; j < cols; ++j) variance += (row[j] - mean) * (row[j] - mean) / n;
    for (Index j = 0; j < cols; ++j) {
      y[i * cols + j] = gain[j] * (row[j] - mean) / std::sqrt(variance + eps) + bias[j];
    }
  }
  return y;
}

/// Row by row: y = gain ⊙ x / √(mean of x² + eps).
template <class T>
std::vector<T> RmsNorm(const std::vector<T>& x, const std::vector<T>& gain, Index rows, Index cols, double eps) {
  const double n = static_cast<double>(cols);
  std::vector<T> y(rows * cols);
  for (Index i = 0; i < rows; ++i) {
    const T* row = &x[i * cols];
    T mean_square = 0;
    for (Index j = 0; j < cols; ++j) mean_square += row[j] * row[j] / n;
    for (Index j = 0; j < cols; ++j) y[i * cols + j] = gain[j] * row[j] / std::sqrt(mean_square + eps);
  }
  return y;
}

/// Rotates every head of D = 2·|inverse_frequencies| columns of x [rows, heads·D]: the pair (j, j + D/2)
/// by the angle a_j = position · inverse_frequencies_j, where position = offset + row mod length:
///   y_j       = x_j cos a_j - x_{j+D/2} sin a_j
///   y_{j+D/2} = x_{j+D/2} cos a_j + x_j sin a_j
template <class T>
std::vector<T> Rotary(const std::vector<T>& x, const std::vector<double>& inverse_frequencies, Index rows, Index length,
                      Index heads, Index offset = 0) {
  const Index half = static_cast<Index>(inverse_frequencies.size());
  const Index dim = 2 * half;
  std::vector<T> y(rows * heads * dim);
  for (Index n = 0; n < rows; ++n) {
    for (Index h = 0; h < heads; ++h) {
      for (Index j = 0; j < half; ++j) {
        const double angle = static_cast<double>(offset + n % length) * inverse_frequencies[j];
        const Index first = (n * heads + h) * dim + j;
        const Index second = first + half;
        y[first] = x[first] * std::cos(angle) - x[second] * std::sin(angle);
        y[second] = x[second] * std::cos(angle) + x[first] * std::sin(angle);
      }
    }
  }
  return y;
}

/// q holds the last `length` positions of each sequence, k and v all offset + length of them. The
/// query at position t reads the rows j <= t of its own sequence; query head h reads key/value head
/// g = h / (heads/kv_heads):
///   s_j = <q_nh, k_jg> / √D,  p = softmax(s),  y_nh = Σ_j p_j v_jg
/// The largest real part is subtracted from s: a constant shift, which leaves p and its derivative
/// as they are.
template <class T>
std::vector<T> CausalAttention(const std::vector<T>& q, const std::vector<T>& k, const std::vector<T>& v, Index rows,
                               Index length, Index heads, Index kv_heads, Index dim, Index offset = 0) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(dim));
  std::vector<T> y(rows * heads * dim, T(0));
  for (Index n = 0; n < rows; ++n) {
    const Index start = n / length * (offset + length), last = start + offset + n % length;
    for (Index h = 0; h < heads; ++h) {
      const Index g = h / (heads / kv_heads);
      std::vector<T> score;
      double largest = -std::numeric_limits<double>::infinity();
      for (Index j = start; j <= last; ++j) {
        T dot = 0;
        for (Index c = 0; c < dim; ++c) dot += q[(n * heads + h) * dim + c] * k[(j * kv_heads + g) * dim + c];
        score.push_back(scale * dot);
        largest = std::max(largest, std::real(score.back()));
      }
      T total = 0;
      for (const T& s : score) total += std::exp(s - largest);
      for (Index j = start; j <= last; ++j) {
        const T p = std::exp(score[j - start] - largest) / total;
        for (Index c = 0; c < dim; ++c) y[(n * heads + h) * dim + c] += p * v[(j * kv_heads + g) * dim + c];
      }
    }
  }
  return y;
}

/// Sequences side by side: the query in row n reads the rows j <= n of its own sequence, of which the
/// rows are borders[s] <= n < borders[s + 1]. Query head h reads key/value head h / (heads/kv_heads).
template <class T>
std::vector<T> PackedAttention(const std::vector<T>& q, const std::vector<T>& k, const std::vector<T>& v,
                               const std::vector<Index>& borders, Index heads, Index kv_heads, Index dim) {
  std::vector<T> y;
  for (size_t s = 1; s < borders.size(); ++s) {
    const auto rows = [&](const std::vector<T>& x, Index width) {
      return std::vector<T>(x.begin() + borders[s - 1] * width, x.begin() + borders[s] * width);
    };
    const Index length = borders[s] - borders[s - 1];
    const std::vector<T> alone = CausalAttention(rows(q, heads * dim), rows(k, kv_heads * dim), rows(v, kv_heads * dim),
                                                 length, length, heads, kv_heads, dim);
    y.insert(y.end(), alone.begin(), alone.end());
  }
  return y;
}

/// The sum over rows n with target t_n != -100 of log Σ_v e^{z_nv} - z_{n,t_n}, divided by `count`,
/// or by the number of those rows if it is 0; one number.
template <class T>
std::vector<T> CrossEntropy(const std::vector<T>& logits, const std::vector<int>& targets, Index rows, Index vocab,
                            Index count = 0) {
  T sum = 0;
  Index present = 0;
  for (Index n = 0; n < rows; ++n) {
    if (targets[n] == -100) continue;
    const T* z = &logits[n * vocab];
    double largest = std::real(z[0]);
    for (Index v = 1; v < vocab; ++v) largest = std::max(largest, std::real(z[v]));
    T total = 0;
    for (Index v = 0; v < vocab; ++v) total += std::exp(z[v] - largest);
    sum += std::log(total) + largest - z[targets[n]];
    ++present;
  }
  return {sum / static_cast<double>(count ? count : present)};
}

/// W = S·B + C with S [n, k] and B [k, d]; C is [n, d], or one row [d] for all rows.
template <class T>
std::vector<T> Reconstruct(const std::vector<T>& scores, const std::vector<T>& basis, const std::vector<T>& offset,
                           Index n, Index k, Index d) {
  const bool one_row = static_cast<Index>(offset.size()) == d;
  std::vector<T> w(n * d);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < d; ++j) {
      T sum = offset[one_row ? j : i * d + j];
      for (Index r = 0; r < k; ++r) sum += scores[i * k + r] * basis[r * d + j];
      w[i * d + j] = sum;
    }
  }
  return w;
}

/// y [n, k+1]: s [n, k] with a last column of ones.
template <class T>
std::vector<T> AppendOnes(const std::vector<T>& s, Index n, Index k) {
  std::vector<T> y;
  for (Index i = 0; i < n; ++i) {
    for (Index r = 0; r < k; ++r) y.push_back(s[i * k + r]);
    y.push_back(T(1));
  }
  return y;
}

}  // namespace ampgrad::reference
