#include "tests/audit/mutants.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tests/audit/faults.h"
#include "tests/audit/op_audit.h"

namespace ampgrad::audit {
namespace {

// What the calls of one faulty op share.
struct Memory {
  std::vector<Tensor> x, dX;
};

// dx_n = dy_n·slope(x_n)
Fault Slope(const std::function<double(double)>& slope) {
  return [=](Pass& p) {
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[0][n] = static_cast<Real>(p.dY[n] * slope(p.x[0][n]));
  };
}

void PlantSumsAndProducts(Planter& planter) {
  const OpCase add = AddCase({33}), mul = MulCase({5, 7});
  planter.Plant(add, "db with the wrong sign", Times(1, -1));
  planter.Plant(add, "gradients assigned, not added", Assign);
  planter.Plant(add, "da misses the last element", WithoutTail(0, 1));
  planter.Plant(mul, "da uses its own factor: dy ⊙ a", [](Pass& p) {
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[0][n] = p.dY[n] * p.x[0][n];
  });
  planter.Plant(mul, "ignores the incoming gradient", OnesComeIn(mul));
  planter.Plant(mul, "one NaN in db", [](Pass& p) { p.dX[1][20] = kNaN; });
}

double Sigma(double x) { return 1 / (1 + std::exp(-x)); }

// σ(2u) + x·σ(1 − σ)·2u' with u' = √(2/π)·(1 + cubic·x²)
double GeluSlope(double x, double cubic) {
  const double c = std::sqrt(2 / M_PI), s = Sigma(2 * c * (x + 0.044715 * x * x * x));
  return s + x * s * (1 - s) * 2 * c * (1 + cubic * x * x);
}

void PlantActivations(Planter& planter) {
  const OpCase gelu = GeluCase({33}), silu = SiluCase({17});
  planter.Plant(gelu, "derivative of the erf form", Slope([](double x) {
                  return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
                }));
  planter.Plant(gelu, "u' without the cubic term", Slope([](double x) { return GeluSlope(x, 0); }));
  planter.Plant(gelu, "u' without the 3 of the cubic term", Slope([](double x) { return GeluSlope(x, 0.044715); }));
  planter.Plant(gelu, "reads the x of a later call",
                [run = gelu.run](Pass& p) { p.dX = GradientsOf(run, p.latest_x, p.dY); });
  planter.Plant(silu, "without x·σ(1 − σ)", Slope(Sigma));
  planter.Plant(silu, "x·σ(1 − σ) with the wrong sign",
                Slope([](double x) { return Sigma(x) - x * Sigma(x) * (1 - Sigma(x)); }));
  planter.Plant(silu, "misses the tail behind the last vector", WithoutTail(0, 1));
}

void PlantCopies(Planter& planter) {
  const std::vector<int> ids = {6, 0, 3, 3, 6, 6, 1};
  const OpCase embedding = EmbeddingCase(7, 17, ids);
  planter.Plant(embedding, "a repeated id keeps its last row only", [ids](Pass& p) {
    for (size_t n = 0; n < ids.size(); ++n) std::copy_n(p.dY.row(static_cast<Index>(n)), 17, p.dX[0].row(ids[n]));
  });
  planter.Plant(embedding, "added to row n instead of row ids[n]", [](Pass& p) { p.dX[0] = p.dY.Clone(); });
}

void PlantFrozen(Planter& planter) {
  const OpCase square = FrozenLinearCase(17, 7, 7, Layout::kOutIn, true),
               wide = FrozenLinearCase(5, 3, 33, Layout::kInOut, true);
  planter.Plant(square, "dx = dy·Wᵀ instead of dy·W", [](Pass& p) {
    kernels::ProductNT(p.dY, FrozenWeight({7, 7}).Widened(), {p.dX[0].data()});
  });
  planter.Plant(wide, "dx from the float's lower half", [](Pass& p) {
    Tensor w = FrozenWeight({3, 33}).Widened();
    for (Real& x : w) x = std::ldexp(x, -16);
    kernels::ProductNT(p.dY, w, {p.dX[0].data()});
  });
  planter.Plant(wide, "db is missing", Times(1, 0));
  planter.Plant(wide, "dx misses the last row", WithoutTail(0, 3));
}

void PlantLinear(Planter& planter) {
  const OpCase square = LinearCase(17, 7, 7, Layout::kOutIn, true), in_out = LinearCase(5, 3, 33, Layout::kInOut, true);
  planter.Plant(square, "dx = dy·Wᵀ instead of dy·W", [](Pass& p) {
    p.dX[0].Fill(0);
    kernels::ProductNT(p.dY, p.x[1], {p.dX[0].data(), p.dX[0].data()});
  });
  planter.Plant(square, "dW transposed", [](Pass& p) { p.dX[1] = kernels::Transposed(p.dX[1]); });
  planter.Plant(square, "dW without the last row of x", [](Pass& p) {
    p.dX[1].Fill(0);
    kernels::ProductTN(p.dY.Rows(0, 16), p.x[0].Rows(0, 16), {p.dX[1].data(), p.dX[1].data()});
  });
  planter.Plant(square, "dW assigned, not added", Assign);
  planter.Plant(square, "dW divided by the rows, as if y were a mean", Times(1, 1.0 / 17));
  planter.Plant(in_out, "db is the first row only", [](Pass& p) { std::copy_n(p.dY.row(0), 33, p.dX[2].begin()); });
  planter.Plant(in_out, "dx off by a factor of 1.001", Times(0, 1.001));
  planter.Plant(in_out, "dW off by a factor of 1 + 1e-6", Times(1, 1 + 1e-6));
  planter.Plant(in_out, "dW is all zeros", Times(1, 0));
  planter.Plant(in_out, "dW of the call before", [](Pass& p) { p.dX[1] = p.last_dX[1]; });
}

// What a norm's backward may leave out. dx = rstd·(g − mean(g) − x̂·mean(g ⊙ x̂)),  g = dy ⊙ gain
struct NormTerms {
  bool centred = true;  // LayerNorm; else RmsNorm
  bool mean = true, x_hat = true, gain = true;
  double eps = 1e-5;
  double lost = 0;  // the means divide by C − lost
};

Fault NormBackward(const NormTerms& terms) {
  return [=](Pass& p) {
    const Tensor& x = p.x[0];
    const Index cols = x.cols();
    const double count = static_cast<double>(cols);
    for (Index n = 0; n < x.rows(); ++n) {
      double mean = 0, square = 0, g_mean = 0, gx_mean = 0;
      for (Index j = 0; terms.centred && j < cols; ++j) mean += x.row(n)[j] / count;
      for (Index j = 0; j < cols; ++j) square += (x.row(n)[j] - mean) * (x.row(n)[j] - mean) / count;
      const double rstd = 1 / std::sqrt(square + terms.eps);
      const auto g = [&](Index j) { return p.dY.row(n)[j] * (terms.gain ? p.x[1][j] : 1.0); };
      const auto x_hat = [&](Index j) { return (x.row(n)[j] - mean) * rstd; };
      for (Index j = 0; j < cols; ++j) {
        if (terms.mean) g_mean += g(j) / (count - terms.lost);
        if (terms.x_hat) gx_mean += g(j) * x_hat(j) / (count - terms.lost);
      }
      for (Index j = 0; j < cols; ++j) {
        p.dX[0].row(n)[j] = static_cast<Real>(rstd * (g(j) - g_mean - x_hat(j) * gx_mean));
      }
    }
  };
}

void PlantNorms(Planter& planter) {
  const OpCase layer = LayerNormCase(3, 17), rms = RmsNormCase(3, 17);
  planter.Plant(layer, "dx without mean(g)", NormBackward({.mean = false}));
  planter.Plant(layer, "dx without the x̂ term", NormBackward({.x_hat = false}));
  planter.Plant(layer, "dx without the gain", NormBackward({.gain = false}));
  planter.Plant(layer, "means over C − 1", NormBackward({.lost = 1}));
  planter.Plant(layer, "dgain of x, not of x̂", [](Pass& p) {
    p.dX[1].Fill(0);
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[1][n % 17] += p.dY[n] * p.x[0][n];
  });
  planter.Plant(rms, "dx without the x̂ term", NormBackward({.centred = false, .mean = false, .x_hat = false}));
  planter.Plant(rms, "dx of LayerNorm", NormBackward({.centred = false, .mean = true}));
  planter.Plant(rms, "eps forgotten in the backward", NormBackward({.centred = false, .mean = false, .eps = 0}));
  planter.Plant(rms, "dgain is the first row only", [](Pass& p) {
    for (Index j = 0; j < 17; ++j) p.dX[1][j] = p.dY[j] * p.y[j] / p.x[1][j];
  });
}

// dx = R(position of the row)·dy, each head of 10 columns
Fault Turned(const std::function<double(Index row)>& position) {
  return [=](Pass& p) {
    const Tensor f = InverseFrequencies(10);
    for (Index n = 0; n < p.dY.rows(); ++n) {
      for (Index first = 0; first < p.dY.cols(); first += 10) {
        for (Index j = 0; j < 5; ++j) {
          const double angle = position(n) * f[j], a = p.dY.row(n)[first + j], b = p.dY.row(n)[first + j + 5];
          p.dX[0].row(n)[first + j] = static_cast<Real>(a * std::cos(angle) - b * std::sin(angle));
          p.dX[0].row(n)[first + j + 5] = static_cast<Real>(b * std::cos(angle) + a * std::sin(angle));
        }
      }
    }
  };
}

void PlantRotary(Planter& planter) {
  const OpCase rotary = RotaryCase(2, 7, 3, 10);
  planter.Plant(rotary, "turned forward again, not back", Turned([](Index n) { return n % 7; }));
  planter.Plant(rotary, "positions count from 1", Turned([](Index n) { return -(n % 7 + 1.0); }));
  planter.Plant(rotary, "positions go on into the next sequence", Turned([](Index n) { return -1.0 * n; }));
}

// What attention's backward may get wrong. The case: 2 sequences of 4 rows, 4 heads on 2, 5 columns each.
struct AttentionTerms {
  bool scale = true;  // 1/√D
  bool dot = true;    // − o_i·do_i
  Index ahead = 0;    // how many keys behind the mask the backward lets through
  bool group = true;  // dk and dv of all query heads of a group; else of the first only
  Index heads = 4, sequences = 2;
};

// One row i of one head: dS_ij = P_ij (do_i·v_j − o_i·do_i), then dq_i, dk_j, dv_j. Offsets lead to the head's columns.
void AttentionRow(const AttentionTerms& terms, Pass& p, Index start, Index i, Index q_at, Index kv_at, bool add_kv) {
  constexpr Index kLength = 4, kDim = 5;
  const Real *q = p.x[0].row(start + i) + q_at, *d_o = p.dY.row(start + i) + q_at;
  const auto s = [&](Index j) { return Dot(q, p.x[1].row(start + j) + kv_at, kDim) / std::sqrt(double{kDim}); };
  double total = 0;
  for (Index j = 0; j <= i; ++j) total += std::exp(s(j));
  const double dot = terms.dot ? Dot(p.y.row(start + i) + q_at, d_o, kDim) : 0;
  for (Index j = 0; j <= std::min(i + terms.ahead, kLength - 1); ++j) {
    const Index row = start + j;
    const double probability = std::exp(s(j)) / total;
    const double ds = probability * (Dot(d_o, p.x[2].row(row) + kv_at, kDim) - dot) *
                      (terms.scale ? 1 / std::sqrt(double{kDim}) : 1.0);
    for (Index c = 0; c < kDim; ++c) {
      p.dX[0].row(start + i)[q_at + c] += static_cast<Real>(ds * p.x[1].row(row)[kv_at + c]);
      if (!add_kv) continue;
      p.dX[1].row(row)[kv_at + c] += static_cast<Real>(ds * q[c]);
      p.dX[2].row(row)[kv_at + c] += static_cast<Real>(probability * d_o[c]);
    }
  }
}

Fault AttentionBackward(const AttentionTerms& terms) {
  return [=](Pass& p) {
    for (Tensor& gradient : p.dX) gradient.Fill(0);
    for (Index start = 0; start < 4 * terms.sequences; start += 4) {
      for (Index h = 0; h < terms.heads; ++h) {
        for (Index i = 0; i < 4; ++i) AttentionRow(terms, p, start, i, 5 * h, 5 * (h / 2), terms.group || h % 2 == 0);
      }
    }
  };
}

void PlantAttention(Planter& planter) {
  const OpCase attention = AttentionCase(2, 4, 4, 2, 5);
  planter.Plant(attention, "without 1/√D", AttentionBackward({.scale = false}));
  planter.Plant(attention, "dS without o·do", AttentionBackward({.dot = false}));
  planter.Plant(attention, "the mask lets one key too many through", AttentionBackward({.ahead = 1}));
  planter.Plant(attention, "dk and dv of the first head of a group only", AttentionBackward({.group = false}));
  planter.Plant(attention, "the last head is dropped", AttentionBackward({.heads = 3}));
  planter.Plant(attention, "the last sequence is dropped", AttentionBackward({.sequences = 1}));
  planter.Plant(attention, "dk with half its size", Times(1, 0.5));
  const OpCase packed = SelfAttentionCase(6, 3, 2, 3);  // dqkv [6, 18]: dq, dk, dv of six columns each
  planter.Plant(packed, "dq and dk change places", [](Pass& p) {
    for (Index n = 0; n < 6; ++n) std::swap_ranges(p.dX[0].row(n), p.dX[0].row(n) + 6, p.dX[0].row(n) + 6);
  });
  planter.Plant(packed, "dv is left out", [](Pass& p) {
    for (Index n = 0; n < 6; ++n) std::fill_n(p.dX[0].row(n) + 12, 6, Real(0));
  });
  planter.Plant(packed, "assigned, not added", Assign);
}

struct LossTerms {
  bool onehot = true, skips = true, incoming = true;
  double count = 3;  // that the mean divides by
};

// dlogits_nv = dloss·(softmax − onehot)/count for the targets of the case
Fault LossBackward(const std::vector<int>& targets, const LossTerms& terms) {
  return [=](Pass& p) {
    const Tensor& z = p.x[0];
    p.dX[0].Fill(0);
    for (Index n = 0; n < z.rows(); ++n) {
      if (terms.skips && targets[n] == ops::kIgnored) continue;
      double total = 0;
      for (Index v = 0; v < z.cols(); ++v) total += std::exp(z.row(n)[v]);
      for (Index v = 0; v < z.cols(); ++v) {
        const double onehot = terms.onehot && v == targets[n];
        const double dloss = terms.incoming ? p.dY[0] : 1;
        p.dX[0].row(n)[v] = static_cast<Real>(dloss * (std::exp(z.row(n)[v]) / total - onehot) / terms.count);
      }
    }
  };
}

void PlantLoss(Planter& planter) {
  const std::vector<int> targets = {ops::kIgnored, 1, ops::kIgnored, 16, 0, ops::kIgnored};
  const OpCase loss = CrossEntropyCase(17, targets);
  planter.Plant(loss, "without the onehot", LossBackward(targets, {.onehot = false}));
  planter.Plant(loss, "without 1/count", LossBackward(targets, {.count = 1}));
  planter.Plant(loss, "ignored targets counted", LossBackward(targets, {.count = 6}));
  planter.Plant(loss, "rows without a target get a gradient", LossBackward(targets, {.skips = false}));
  planter.Plant(loss, "ignores the incoming gradient", LossBackward(targets, {.incoming = false}));
}

// dS = dW·B'ᵀ, with every entry B_kj changed.
Fault OtherBasis(const Tensor& basis, const std::function<double(double entry, Index k, Index j)>& change) {
  Tensor other(basis.shape());
  for (Index n = 0; n < basis.size(); ++n) {
    other[n] = static_cast<Real>(change(basis[n], n / basis.cols(), n % basis.cols()));
  }
  return [=](Pass& p) {
    p.dX[0].Fill(0);
    kernels::ProductNT(p.dY, other, {p.dX[0].data(), p.dX[0].data()});
  };
}

void PlantReconstruct(Planter& planter) {
  const OpCase square = ReconstructCase(4, 17, 17, true), wide = ReconstructCase(17, 5, 33, true);
  const Tensor basis = ReconstructBasis(5, 33), mean = ReconstructCentre(17, 33, true);
  planter.Plant(square, "dS = dW·B instead of dW·Bᵀ", [](Pass& p) {
    p.dX[0].Fill(0);
    kernels::ProductNN(p.dY, ReconstructBasis(17, 17), {p.dX[0].data(), p.dX[0].data()});
  });
  planter.Plant(wide, "the mean row taken for part of the basis",
                OtherBasis(basis, [=](double entry, Index, Index j) { return entry + mean[j]; }));
  planter.Plant(wide, "the mean row taken for a trained scaling",
                OtherBasis(basis, [=](double entry, Index, Index j) { return entry * mean[j]; }));
  planter.Plant(wide, "the last column of dW is missed",
                OtherBasis(basis, [](double entry, Index, Index j) { return j < 32 ? entry : 0; }));
  planter.Plant(wide, "the last score is never trained",
                OtherBasis(basis, [](double entry, Index k, Index) { return k < 4 ? entry : 0; }));
  planter.Plant(wide, "dW centred before the product", [](Pass& p) {
    for (Index k = 0; k < 5; ++k) {
      Real mean = 0;
      for (Index i = 0; i < 17; ++i) mean += p.dX[0].row(i)[k] / 17;
      for (Index i = 0; i < 17; ++i) p.dX[0].row(i)[k] -= mean;
    }
  });
  planter.Plant(wide, "dS assigned, not added", Assign);
  planter.Plant(wide, "dS of the call before", [](Pass& p) { p.dX[0] = p.last_dX[0]; });
  planter.Plant(wide, "dS off by a factor of 1 + 1e-6", Times(0, 1 + 1e-6));
  planter.Plant(wide, "ignores the incoming gradient", OnesComeIn(wide));
}

}  // namespace

OpCase WithFault(const OpCase& right, const Fault& fault) {
  OpCase faulty = right;
  const auto memory = std::make_shared<Memory>();
  for (const CheckInput& input : right.inputs) memory->dX.push_back(Tensor(input.value.shape()));
  faulty.run = [=, run = right.run](Tape& tape, const Vars& vars) {
    std::vector<Tensor> x;
    for (const Var& var : vars) x.push_back(var.value);
    memory->x = x;
    const Tensor y = Evaluate(run, x);
    const Var none = tape.Constant(Tensor());
    const auto input = [&](size_t i) { return i < vars.size() ? &vars[i] : &none; };
    return tape.Record("faulty", y, {input(0), input(1), input(2)}, [=](const Tensor& dY, InputGrads& d) {
      std::vector<Tensor> dX = GradientsOf(run, x, dY);
      std::vector<Tensor> right_dX;
      for (const Tensor& gradient : dX) right_dX.push_back(gradient.Clone());
      Pass pass{x, memory->x, memory->dX, y, dY, dX};
      fault(pass);
      for (size_t i = 0; i < dX.size(); ++i) {
        Tensor* buffer = d.AddWithin(static_cast<int>(i));
        if (buffer && pass.assigns) buffer->Fill(0);
        for (Index n = 0; buffer && n < buffer->size(); ++n) (*buffer)[n] += dX[i][n];
      }
      memory->dX = right_dX;
    });
  };
  return faulty;
}

std::vector<Mutant> Mutants() {
  Planter planter;
  PlantSumsAndProducts(planter);
  PlantActivations(planter);
  PlantCopies(planter);
  PlantLinear(planter);
  PlantFrozen(planter);
  PlantNorms(planter);
  PlantRotary(planter);
  PlantAttention(planter);
  PlantLoss(planter);
  PlantReconstruct(planter);
  PlantFactored(planter);
  return std::move(planter.mutants);
}

std::vector<MutantFinding> RunMutants(uint64_t seed) {
  std::vector<MutantFinding> findings;
  for (const Mutant& mutant : Mutants()) {
    // The common check goes first: it knows one backward only, that of a fresh op.
    const bool common = CommonCheckRefuses(mutant.faulty, seed);
    findings.push_back({mutant.op, mutant.fault, AuditRefuses(mutant.faulty, seed), common});
  }
  return findings;
}

}  // namespace ampgrad::audit
