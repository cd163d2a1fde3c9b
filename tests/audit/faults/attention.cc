#include <cmath>
#include <functional>
#include <utility>

#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {
namespace {

// dx = R(angle)·dy, the angle of frequency f in head h of row n; each head of `dim` columns
Fault Turned(Index dim, const std::function<double(Index n, Index h, double f)>& angle) {
  return [=](Pass& p) {
    const Tensor f = InverseFrequencies(dim);
    const Index half = dim / 2;
    for (Index n = 0; n < p.dY.rows(); ++n) {
      for (Index h = 0; h < p.dY.cols() / dim; ++h) {
        for (Index j = 0; j < half; ++j) {
          const double t = angle(n, h, f[j]);
          const Real* dy = p.dY.row(n) + h * dim + j;
          Real* dx = p.dX[0].row(n) + h * dim + j;
          dx[0] = static_cast<Real>(dy[0] * std::cos(t) - dy[half] * std::sin(t));
          dx[half] = static_cast<Real>(dy[half] * std::cos(t) + dy[0] * std::sin(t));
        }
      }
    }
  };
}

void PlantRotary(Planter& planter) {
  const auto plant = [&](const std::string& fault, const auto& angle) {
    planter.Plant(RotaryCase(2, 7, 3, 10), fault, Turned(10, angle));
  };
  plant("turned forward again, not back", [](Index n, Index, double f) { return static_cast<double>(n % 7) * f; });
  plant("positions count from 1", [](Index n, Index, double f) { return -static_cast<double>(n % 7 + 1) * f; });
  plant("positions go on into the next sequence", [](Index n, Index, double f) { return -static_cast<double>(n) * f; });
  plant("every sequence by one row of the table, its own number",
        [](Index n, Index, double f) { return -static_cast<double>(n / 7) * f; });
  plant("every head by a row of the table of its own",
        [](Index n, Index h, double f) { return -static_cast<double>((3 * n + h) % 7) * f; });
  plant("cosines and sines change places",
        [](Index n, Index, double f) { return static_cast<double>(n % 7) * f - M_PI / 2; });
  const OpCase behind = RotaryCase(2, 3, 2, 6, 5);
  planter.Plant(behind, "the table of a pass that begins at 0",
                Turned(6, [](Index n, Index, double f) { return -static_cast<double>(n % 3) * f; }));
  planter.Plant(behind, "the table is turned back with its offset counted twice",
                Turned(6, [](Index n, Index, double f) { return -static_cast<double>(5 + 5 + n % 3) * f; }));
}

// What attention's backward may get wrong. The case: 2 sequences of 4 rows unless there are other borders, 4 heads on
// 2, 5 columns each.
struct AttentionTerms {
  bool scale = true;  // 1/√D
  bool dot = true;    // − o_i·do_i
  Index ahead = 0;    // how many keys behind the mask the backward lets through
  Index before = 0;   // how many keys of the sequence before
  bool group = true;  // dk and dv of all query heads of a group; else of the first only
  Index heads = 4;
  std::vector<Index> borders = {0, 4, 8};
  bool later = false;  // the log-sums of a later call
};

// One row i of one head: dS_ij = P_ij (do_i·v_j − o_i·do_i), then dq_i, dk_j, dv_j. Offsets lead to the head's columns.
void AttentionRow(const AttentionTerms& terms, Pass& p, Index start, Index length, Index i, Index q_at, Index kv_at,
                  bool add_kv) {
  constexpr Index kDim = 5;
  const Real *q = p.x[0].row(start + i) + q_at, *d_o = p.dY.row(start + i) + q_at;
  const auto score = [&](const std::vector<Tensor>& x, Index j) {
    return Dot(x[0].row(start + i) + q_at, x[1].row(start + j) + kv_at, kDim) / std::sqrt(double{kDim});
  };
  double total = 0;
  for (Index j = 0; j <= i; ++j) total += std::exp(score(terms.later ? p.latest_x : p.x, j));
  const double dot = terms.dot ? Dot(p.y.row(start + i) + q_at, d_o, kDim) : 0;
  for (Index j = -std::min(start, terms.before); j <= std::min(i + terms.ahead, length - 1); ++j) {
    const Index row = start + j;
    const double probability = std::exp(score(p.x, j)) / total;
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
    for (size_t s = 1; s < terms.borders.size(); ++s) {
      const Index start = terms.borders[s - 1], length = terms.borders[s] - start;
      for (Index h = 0; h < terms.heads; ++h) {
        const bool add_kv = terms.group || h % 2 == 0;
        for (Index i = 0; i < length; ++i) AttentionRow(terms, p, start, length, i, 5 * h, 5 * (h / 2), add_kv);
      }
    }
  };
}

void PlantGroupedAttention(Planter& planter) {
  const OpCase attention = AttentionCase(2, 4, 4, 2, 5);
  planter.Plant(attention, "without 1/√D", AttentionBackward({.scale = false}));
  planter.Plant(attention, "dS without o·do", AttentionBackward({.dot = false}));
  planter.Plant(attention, "the mask lets one key too many through", AttentionBackward({.ahead = 1}));
  planter.Plant(attention, "dk and dv of the first head of a group only", AttentionBackward({.group = false}));
  planter.Plant(attention, "the last head is dropped", AttentionBackward({.heads = 3}));
  planter.Plant(attention, "the last sequence is dropped", AttentionBackward({.borders = {0, 4}}));
  planter.Plant(attention, "dk with half its size", Times(1, 0.5));
  planter.Plant(attention, "the log-sums of a later call", AttentionBackward({.later = true}));
  planter.Plant(attention, "dk and dv change places", [](Pass& p) { std::swap(p.dX[1], p.dX[2]); });
  planter.Plant(attention, "dv only where dk is wanted", WhereFrozen(1, Times(2, 0)));
  planter.PlantOnOneInput(AttentionCase(2, 3, 2, 2, 3), "x for q, k and v: dv replaces what was there", Assign);
  planter.Plant(AttentionCase(2, 3, 4, 2, 5, 4), "keys of before this pass get no gradient", [](Pass& p) {
    for (const size_t i : {1, 2}) {
      for (const Index first : {0, 7}) std::fill_n(p.dX[i].row(first), 4 * p.dX[i].cols(), Real(0));
    }
  });
}

void PlantPackedAttention(Planter& planter) {
  const OpCase packed = PackedAttentionCase({0, 3, 4, 9}, 4, 2, 5);
  const auto plant = [&](const std::string& fault, const AttentionTerms& terms) {
    planter.Plant(packed, fault, AttentionBackward(terms));
  };
  plant("packed: the last key of the sequence before is seen", {.before = 1, .borders = {0, 3, 4, 9}});
  plant("packed: all keys before are seen", {.before = 9, .borders = {0, 3, 4, 9}});
  plant("packed: a border lies one row too early", {.borders = {0, 2, 4, 9}});
  plant("packed: a border lies one row too late", {.borders = {0, 3, 5, 9}});
  plant("packed: two sequences are taken for one", {.borders = {0, 3, 9}});
  plant("packed: one sequence is cut into two", {.borders = {0, 3, 4, 7, 9}});
  plant("packed: the last sequence is dropped", {.borders = {0, 3, 4}});
  plant("packed: sequences of equal length", {.borders = {0, 3, 6, 9}});
}

void PlantSelfAttention(Planter& planter) {
  const OpCase packed = SelfAttentionCase(6, 3, 2, 3);  // dqkv [6, 18]: dq, dk, dv of six columns each
  planter.Plant(packed, "dq and dk change places", [](Pass& p) {
    for (Index n = 0; n < 6; ++n) std::swap_ranges(p.dX[0].row(n), p.dX[0].row(n) + 6, p.dX[0].row(n) + 6);
  });
  planter.Plant(packed, "dv is left out", [](Pass& p) {
    for (Index n = 0; n < 6; ++n) std::fill_n(p.dX[0].row(n) + 12, 6, Real(0));
  });
  planter.Plant(packed, "assigned, not added", Assign);
  planter.Plant(packed, "dq is added to what is there, dk and dv are not", [](Pass& p) {
    p.store = [](size_t, kernels::Sink dqkv, const Tensor& part) {
      for (Index i = 0; i < part.size(); ++i) {
        dqkv.to[i] = (dqkv.onto && i % 18 < 6 ? dqkv.onto[i] : Real(0)) + part[i];
      }
    };
  });
  planter.Plant(packed, "dk where dv belongs", [](Pass& p) {
    for (Index n = 0; n < 6; ++n) std::copy_n(p.dX[0].row(n) + 6, 6, p.dX[0].row(n) + 12);
  });
}

}  // namespace

void PlantAttention(Planter& planter) {
  PlantRotary(planter);
  PlantGroupedAttention(planter);
  PlantPackedAttention(planter);
  PlantSelfAttention(planter);
}

}  // namespace ampgrad::audit
