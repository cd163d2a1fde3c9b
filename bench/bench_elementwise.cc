// Element-by-element kernels, sums and the optimiser, at the sizes of a step of the photonic model (1,024 tokens).
#include "bench/measure.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"

namespace ampgrad::bench {
namespace {

Tensor Normal(Index n, uint64_t stream) { return Random(1, stream).NormalTensor({n}, 1); }

// f(0), f(1), …, f(n − 1)
template <class F>
std::vector<double> Each(Index n, const F& f) {
  std::vector<double> values(n);
  for (Index i = 0; i < n; ++i) values[i] = f(i);
  return values;
}

// GELU and SiLU are x·σ(a(x)) with a = 2√(2/π)(x + 0.044715x³) and a = x; a Gate holds a and a'.
struct Gate {
  double argument, slope;
};

Gate GeluGate(double x) {
  const double scale = 2 * std::sqrt(2 / M_PI);
  return {scale * (x + 0.044715 * x * x * x), scale * (1 + 3 * 0.044715 * x * x)};
}

Gate SiluGate(double x) { return {x, 1}; }

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

using Activation = void (*)(const Real* x, Real* y, Index n);
using ActivationBackward = void (*)(const Real* x, const Real* dy, kernels::Sink dx, Index n);

Case Forward(Index n, Activation kernel, Gate (*gate)(double)) {
  const Tensor x = Normal(n, 1);
  Tensor y({n});
  const auto run = [=]() mutable { kernel(x.data(), y.data(), n); };
  const auto matches = [=] {
    return Matches(y, Each(n, [&](Index i) { return x[i] * Sigmoid(gate(x[i]).argument); }));
  };
  return {{.bytes = Bytes(2 * n)}, run, matches};
}

// (x·σ(a))' = σ + x·σ·(1 − σ)·a'
Case Backward(Index n, ActivationBackward kernel, Gate (*gate)(double)) {
  const Tensor x = Normal(n, 1), dy = Normal(n, 2);
  Tensor dx({n});
  const auto run = [=]() mutable { kernel(x.data(), dy.data(), {dx.data()}, n); };
  const auto matches = [=] {
    return Matches(dx, Each(n, [&](Index i) {
                     const auto [argument, slope] = gate(x[i]);
                     const double s = Sigmoid(argument);
                     return dy[i] * (s + x[i] * s * (1 - s) * slope);
                   }));
  };
  return {{.bytes = Bytes(3 * n)}, run, matches};
}

Case Add(Index n) {
  const Tensor x = Normal(n, 1), y = Normal(n, 2);
  Tensor z({n});
  const auto run = [=]() mutable { kernels::Add(x.data(), y.data(), z.data(), n); };
  const auto matches = [=] { return Matches(z, Each(n, [&](Index i) { return double{x[i]} + y[i]; })); };
  return {{.bytes = Bytes(3 * n)}, run, matches};
}

Case Mul(Index n) {
  const Tensor x = Normal(n, 1), y = Normal(n, 2);
  Tensor z({n});
  const auto run = [=]() mutable { kernels::Mul(x.data(), y.data(), {z.data()}, n); };
  const auto matches = [=] { return Matches(z, Each(n, [&](Index i) { return double{x[i]} * y[i]; })); };
  return {{.bytes = Bytes(3 * n)}, run, matches};
}

// The factor is −1, so that the numbers keep their size however often it runs.
Case Scale(Index n) {
  Tensor x = Normal(n, 1);
  const auto run = [=]() mutable { kernels::Scale(-1, x.data(), n); };
  const auto matches = [=, before = x.Clone()] {
    return Matches(x, Each(n, [&](Index i) { return -double{before[i]}; }));
  };
  return {{.bytes = Bytes(2 * n)}, run, matches};
}

Case AddColumnSums(Index rows, Index cols) {
  const Tensor x = Normal(rows * cols, 1);
  Tensor sums({cols});
  const auto run = [=]() mutable { kernels::AddColumnSums(x.data(), rows, cols, sums.data()); };
  const auto matches = [=] {
    std::vector<double> twin(cols, 0.0);
    for (Index i = 0; i < x.size(); ++i) twin[i % cols] += x[i];
    return Matches(sums, twin);
  };
  return {{.bytes = Bytes(rows * cols + 2 * cols)}, run, matches};
}

Case SumSquares(Index n) {
  const Tensor x = Normal(n, 1);
  Tensor sum({1});
  const auto run = [=]() mutable { sum[0] = static_cast<Real>(kernels::SumSquares(x.data(), n)); };
  const auto matches = [=] {
    double twin = 0;
    for (const Real value : x) twin += double{value} * value;
    return Matches(sum, {twin});
  };
  return {{.bytes = Bytes(n)}, run, matches};
}

// x [rows, heads·dim], rows of sequences of `length`
Case Rotary(Index rows, Index length, Index heads, Index dim) {
  const Index half = dim / 2, cols = heads * dim;
  const Tensor x = Normal(rows * cols, 1);
  Tensor cosines({length, half}), sines({length, half}), y({rows * cols});
  for (Index i = 0; i < length * half; ++i) {
    const double angle = static_cast<double>(i / half) * std::pow(10000.0, -static_cast<double>(i % half) / half);
    cosines[i] = static_cast<Real>(std::cos(angle));
    sines[i] = static_cast<Real>(std::sin(angle));
  }
  const auto run = [=]() mutable {
    kernels::Rotary(x.data(), rows, length, heads, dim, cosines.data(), sines.data(), 1, {y.data()});
  };
  const auto matches = [=] {
    return Matches(y, Each(rows * cols, [&](Index i) {
                     const Index j = i % half, at = i / cols % length * half + j, first = i / dim * dim + j;
                     const double a = x[first], b = x[first + half];
                     return i % dim < half ? a * cosines[at] - b * sines[at] : b * cosines[at] + a * sines[at];
                   }));
  };
  return {{.bytes = Bytes(2 * rows * cols + 2 * length * half)}, run, matches};
}

// The step t = 1 with PyTorch's constants.
Case AdamW(Index n) {
  const kernels::AdamWStep step{Real(0.9), Real(0.1), Real(0.999), Real(0.001), Real(0.99999), Real(1e-2), 1000, 1e-8f};
  const Tensor grad = Normal(n, 1);
  Tensor param = Normal(n, 2), m({n}), v({n});
  const auto run = [=]() mutable { kernels::AdamW(step, grad.data(), param.data(), m.data(), v.data(), n); };
  const auto matches = [=, before = param.Clone()] {
    const auto first = [&](Index i) { return 0.1 * grad[i]; };
    const auto second = [&](Index i) { return 0.001 * grad[i] * grad[i]; };
    return Matches(m, Each(n, first)) && Matches(v, Each(n, second)) &&
           Matches(param, Each(n, [&](Index i) {
                     return 0.99999 * before[i] - 1e-2 * first(i) / (std::sqrt(1000 * second(i)) + 1e-8);
                   }));
  };
  return {{.bytes = Bytes(7 * n)}, run, matches};
}

void RegisterAll() {
  const Index hidden = 1024 * 1024;      // tokens x inner size of the MLP
  const Index vocabulary = 16384 * 256;  // the largest parameter
  RegisterCase("Add/1024x1024", [=] { return Add(hidden); });
  RegisterCase("Mul/1024x1024", [=] { return Mul(hidden); });
  RegisterCase("Gelu/1024x1024", [=] { return Forward(hidden, kernels::Gelu, GeluGate); });
  RegisterCase("GeluBackward/1024x1024", [=] { return Backward(hidden, kernels::GeluBackward, GeluGate); });
  RegisterCase("Silu/1024x1024", [=] { return Forward(hidden, kernels::Silu, SiluGate); });
  RegisterCase("SiluBackward/1024x1024", [=] { return Backward(hidden, kernels::SiluBackward, SiluGate); });
  RegisterCase("Scale/16384x256", [=] { return Scale(vocabulary); });
  RegisterCase("AddColumnSums/1024x1024", [=] { return AddColumnSums(1024, 1024); });
  RegisterCase("SumSquares/16384x256", [=] { return SumSquares(vocabulary); });
  RegisterCase("Rotary/1024x32x64", [=] { return Rotary(1024, 512, 32, 64); });
  RegisterCase("AdamW/1024x256", [=] { return AdamW(1024 * 256); });
  RegisterCase("AdamW/16384x256", [=] { return AdamW(vocabulary); });
}

}  // namespace
}  // namespace ampgrad::bench

int main(int argc, char** argv) {
  ampgrad::bench::RegisterAll();
  return ampgrad::bench::RunBenchmarks(argc, argv);
}
