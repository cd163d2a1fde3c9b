#include "tests/audit/kernel_audit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/simd/simd_target.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

// The bounds. u is half the distance of 1 to the next number: a rounded operation is off by at most u relatively. A sum
// of n products in any order is off by at most n·u·Σ|a||b| (Higham, "Accuracy and Stability of Numerical Algorithms",
// section 3.1). One through tiles is, too: a product passes at most 16 roundings in its run of 32, then 6 for each of
// ⌈n/32⌉ runs, and what the parts leave out is one more; 17 + 6⌈n/32⌉ < n for the n >= 32 of tiles. An exponential is
// off by 2u (Highway: 1 unit in the last place) and by its argument's own error. Terms in u² are left out.
namespace ampgrad::audit {
namespace {

constexpr double kU = std::numeric_limits<Real>::epsilon() / 2;

// The largest |found − expected| / bound. NaN counts as infinite.
class Share {
 public:
  void Add(double found, double expected, double bound) {
    const double error = std::abs(found - expected);
    const double share = error == 0 ? 0 : error / bound;
    if (!(share <= worst_)) worst_ = std::isnan(share) ? std::numeric_limits<double>::infinity() : share;
  }
  double worst() const { return worst_; }

 private:
  double worst_ = 0;
};

// Normal numbers that know their double values exactly.
struct Numbers {
  Numbers(uint64_t seed, uint64_t stream, Index n, double deviation = 1.5)
      : t(Random(seed, stream).NormalTensor({n}, deviation)) {}
  double operator[](Index i) const { return t[i]; }
  Tensor t;
};

const Index kLengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 1000};

double AuditGemm(uint64_t seed, bool a_transposed, bool b_transposed) {
  Share share;
  struct Shape {
    Index m, n, k;
  };
  for (const auto& [m, n, k] :
       {Shape{17, 35, 1}, {17, 35, 7}, {17, 35, 64}, {17, 35, 300}, {50, 67, 33}, {50, 67, 300}}) {
    const Numbers a(seed, 1, m * k), b(seed, 2, n * k), start(seed, 3, m * n);
    Tensor c = start.t.Clone();
    kernels::Gemm(m, n, k, {a.t.data(), a_transposed ? m : k, a_transposed},
                  {b.t.data(), b_transposed ? k : n, b_transposed}, {c.data(), n}, c.data(), n);
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        double sum = start[i * n + j], size = std::abs(sum);
        for (Index p = 0; p < k; ++p) {
          const double term = a[a_transposed ? p * m + i : i * k + p] * b[b_transposed ? j * k + p : p * n + j];
          sum += term;
          size += std::abs(term);
        }
        share.Add(c[i * n + j], sum, static_cast<double>(k + 1) * kU * size);
      }
    }
  }
  return share.worst();
}

double AuditColumnSums(uint64_t seed) {
  Share share;
  for (const Index cols : kLengths) {
    const Index rows = 23;
    const Numbers x(seed, 4, rows * cols);
    Tensor sums({cols});
    kernels::AddColumnSums(x.t.data(), rows, cols, sums.data());
    for (Index j = 0; j < cols; ++j) {
      double sum = 0, size = 0;
      for (Index i = 0; i < rows; ++i) {
        sum += x[i * cols + j];
        size += std::abs(x[i * cols + j]);
      }
      share.Add(sums[j], sum, static_cast<double>(rows) * kU * size);
    }
  }
  return share.worst();
}

// y = x·σ(z(x)): σ is off by |z|·ez·u from its argument, which is off by ez·u relatively, and by 4u of its own.
double AuditGate(uint64_t seed, void (*kernel)(const Real*, Real*, Index), const std::function<double(double)>& z,
                 double ez) {
  Share share;
  for (const Index n : kLengths) {
    const Numbers x(seed, 5, n, 3);
    Tensor y({n});
    kernel(x.t.data(), y.data(), n);
    for (Index i = 0; i < n; ++i) {
      const double expected = x[i] / (1 + std::exp(-z(x[i])));
      share.Add(y[i], expected, kU * std::abs(expected) * (std::abs(z(x[i])) * ez + 6));
    }
  }
  return share.worst();
}

double AuditLayerNorm(uint64_t seed) {
  Share share;
  for (const Index cols : kLengths) {
    if (cols < 2) continue;  // one column has no spread, and x̂ is rounding alone
    const Numbers x(seed, 6, cols), gain(seed, 7, cols), bias(seed, 8, cols);
    Tensor y({cols});
    Real mean_found, rstd_found;
    const Real eps = Real(1e-5);
    kernels::LayerNorm(x.t.data(), gain.t.data(), bias.t.data(), 1, cols, eps, y.data(), &mean_found, &rstd_found);
    const double n = static_cast<double>(cols);
    double mean = 0, size = 0, variance = 0;
    for (Index j = 0; j < cols; ++j) {
      mean += x[j] / n;
      size += std::abs(x[j]) / n;
    }
    for (Index j = 0; j < cols; ++j) variance += (x[j] - mean) * (x[j] - mean) / n;
    const double rstd = 1 / std::sqrt(variance + eps);
    const double mean_error = (n + 1) * size;  // in units of u
    for (Index j = 0; j < cols; ++j) {
      const double x_hat = (x[j] - mean) * rstd, expected = x_hat * gain[j] + bias[j];
      // The mean moves x̂ by rstd·mean_error; the variance, a sum of squares of x − mean, moves rstd by half its own
      // relative error: n + 3 roundings and twice the mean's share of the spread.
      const double x_hat_error = rstd * (mean_error + std::abs(x[j] - mean)) +
                                 std::abs(x_hat) * (0.5 * (n + 3) + std::sqrt(n) * mean_error * rstd + 5);
      share.Add(y[j], expected, kU * (std::abs(gain[j]) * x_hat_error + 2 * std::abs(expected)));
    }
  }
  return share.worst();
}

double AuditRmsNorm(uint64_t seed) {
  Share share;
  for (const Index cols : kLengths) {
    const Numbers x(seed, 14, cols), gain(seed, 15, cols);
    Tensor y({cols});
    Real rstd_found;
    const Real eps = Real(1e-5);
    kernels::RmsNorm(x.t.data(), gain.t.data(), 1, cols, eps, y.data(), &rstd_found);
    const double n = static_cast<double>(cols);
    double squares = 0;
    for (Index j = 0; j < cols; ++j) squares += x[j] * x[j] / n;
    const double rstd = 1 / std::sqrt(squares + eps);
    // The mean of squares takes n + 2 roundings, of which the root leaves half; root, reciprocal and products four
    // more.
    for (Index j = 0; j < cols; ++j) {
      const double expected = x[j] * rstd * gain[j];
      share.Add(y[j], expected, kU * std::abs(expected) * (0.5 * (n + 2) + 4));
    }
  }
  return share.worst();
}

double AuditRotary(uint64_t seed) {
  Share share;
  for (const Index half : kLengths) {
    const Numbers x(seed, 16, 2 * half), angle(seed, 17, half);
    Tensor cosines({half}), sines({half}), y({2 * half});
    for (Index j = 0; j < half; ++j) {
      cosines[j] = std::cos(angle.t[j]);
      sines[j] = std::sin(angle.t[j]);
    }
    kernels::Rotary(x.t.data(), 1, 1, 1, 2 * half, cosines.data(), sines.data(), 1, {y.data()});
    // Two products and the sum of two, each rounded at most once.
    for (Index j = 0; j < half; ++j) {
      const double c = cosines[j], s = sines[j], a = x[j], b = x[j + half];
      share.Add(y[j], a * c - b * s, 2 * kU * (std::abs(a * c) + std::abs(b * s)));
      share.Add(y[j + half], b * c + a * s, 2 * kU * (std::abs(b * c) + std::abs(a * s)));
    }
  }
  return share.worst();
}

double AuditAddMul(uint64_t seed) {
  Share share;
  for (const Index n : kLengths) {
    const Numbers x(seed, 18, n), y(seed, 19, n), start(seed, 20, n);
    Tensor z = start.t.Clone();
    kernels::Mul(x.t.data(), y.t.data(), {z.data(), z.data()}, n);
    for (Index i = 0; i < n; ++i) {
      const double expected = start[i] + x[i] * y[i];
      share.Add(z[i], expected, kU * (std::abs(x[i] * y[i]) + std::abs(expected)));
    }
  }
  return share.worst();
}

double AuditCrossEntropyGradient(uint64_t seed) {
  Share share;
  for (const Index vocab : kLengths) {
    const Numbers x(seed, 9, vocab, 3);
    const int target = static_cast<int>(vocab / 2);
    Tensor dx({vocab});
    Real max_found, log_sum_found;
    kernels::CrossEntropySum(x.t.data(), &target, 1, vocab, &max_found, &log_sum_found);
    kernels::CrossEntropyBackward(x.t.data(), &target, &max_found, &log_sum_found, 1, vocab, 1, {dx.data()});
    const double max = *std::max_element(x.t.begin(), x.t.end());
    double sum = 0, spread = 0;
    for (Index v = 0; v < vocab; ++v) {
      sum += std::exp(x[v] - max);
      spread = std::max(spread, max - x[v]);
    }
    const double log_sum = std::log(sum);
    for (Index v = 0; v < vocab; ++v) {
      const double p = std::exp(x[v] - max - log_sum), expected = p - (v == target ? 1 : 0);
      // log Σ: each term off by its argument's u and 2u, the sum by n·u, the logarithm by 2u of itself.
      const double log_sum_error = spread + 2 + static_cast<double>(vocab) + 2 * log_sum;
      const double argument_error = (max - x[v]) + (max - x[v] + log_sum) + log_sum_error;
      share.Add(dx[v], expected, kU * (p * (argument_error + 4) + std::abs(expected)));
    }
  }
  return share.worst();
}

double AuditAdamW(uint64_t seed) {
  Share share;
  for (const Index n : kLengths) {
    const Numbers g(seed, 10, n), p(seed, 11, n), m0(seed, 12, n), v0(seed, 13, n);
    Tensor param = p.t.Clone(), m = m0.t.Clone(), v = v0.t.Clone();
    for (Real& value : v) value = std::abs(value);
    const Tensor v_before = v.Clone();
    const kernels::AdamWStep s{.beta1 = Real(0.9),
                               .rest1 = Real(0.1),
                               .beta2 = Real(0.999),
                               .rest2 = Real(0.001),
                               .decay = Real(0.999),
                               .rate = Real(0.01 / 0.271),
                               .unbias2 = Real(1 / 0.002997),
                               .eps = Real(1e-8)};
    kernels::AdamW(s, g.t.data(), param.data(), m.data(), v.data(), n);
    for (Index i = 0; i < n; ++i) {
      const double old_m = s.beta1 * m0[i], new_m = s.rest1 * g[i], m1 = old_m + new_m;
      const double old_v = static_cast<double>(s.beta2) * v_before[i], new_v = s.rest2 * g[i] * g[i],
                   v1 = old_v + new_v;
      const double step = s.rate * m1 / (std::sqrt(v1 * s.unbias2) + s.eps);
      // A fused multiply-add rounds once; elsewhere each product and each sum does.
      const double m_error = 2 * std::abs(old_m) + 2 * std::abs(new_m), v_error = 2 * old_v + 3 * new_v;
      share.Add(m[i], m1, kU * m_error);
      share.Add(v[i], v1, kU * v_error);
      const double step_error = std::abs(step) * (m_error / std::abs(m1) + 0.5 * v_error / v1 + 6);
      const double expected = p[i] * s.decay - step;
      share.Add(param[i], expected, kU * (std::abs(p[i]) + step_error + std::abs(expected)));
    }
  }
  return share.worst();
}

double Two(double x) { return 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }

}  // namespace

std::vector<KernelFinding> AuditKernels(uint64_t seed) {
  const std::vector<std::pair<std::string, std::function<double()>>> kernels = {
      {"gemm x·Wᵀ", [&] { return AuditGemm(seed, false, true); }},
      {"gemm dY·W", [&] { return AuditGemm(seed, false, false); }},
      {"gemm dYᵀ·X", [&] { return AuditGemm(seed, true, false); }},
      {"column sums", [&] { return AuditColumnSums(seed); }},
      // z of GELU takes five roundings, and its cubic term two more; SiLU's is x itself.
      {"GELU", [&] { return AuditGate(seed, kernels::Gelu, Two, 7); }},
      {"SiLU",
       [&] {
         return AuditGate(
             seed, kernels::Silu, [](double x) { return x; }, 1);
       }},
      {"multiply and add", [&] { return AuditAddMul(seed); }},
      {"LayerNorm", [&] { return AuditLayerNorm(seed); }},
      {"RMSNorm", [&] { return AuditRmsNorm(seed); }},
      {"rotary", [&] { return AuditRotary(seed); }},
      {"cross-entropy gradient", [&] { return AuditCrossEntropyGradient(seed); }},
      {"AdamW", [&] { return AuditAdamW(seed); }},
  };
  std::vector<KernelFinding> findings;
  const std::string before = SimdTarget();
  for (const std::string& target : SimdTargets()) {
    UseSimdTarget(target);
    for (const auto& [name, audit] : kernels) findings.push_back({target, name, audit()});
  }
  UseSimdTarget(before);
  return findings;
}

}  // namespace ampgrad::audit
