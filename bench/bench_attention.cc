// Causal attention over one matrix that holds q, k and v side by side, as the models call it.
#include "bench/measure.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"

namespace ampgrad::bench {
namespace {

// The data of an attention call: qkv [batch·length, (heads + 2·kv_heads)·dim].
struct Attention {
  Attention(Index batch, Index length, Index heads, Index kv_heads, Index dim)
      : width((heads + 2 * kv_heads) * dim),
        k_at(heads * dim),
        v_at((heads + kv_heads) * dim),
        shape{batch, length, heads, kv_heads, dim, width, width},
        qkv(Random(1, 1).NormalTensor({batch * length, width}, 1)),
        d_o(Random(1, 2).NormalTensor({batch * length, heads * dim}, 1)),
        o(d_o.shape()),
        dqkv(qkv.shape()),
        log_sums({batch * length, heads}) {}

  void Forward() {
    kernels::CausalAttention(shape, qkv.data(), qkv.data() + k_at, qkv.data() + v_at, o.data(), log_sums.data());
  }

  void Backward() {
    Real* d = dqkv.data();
    kernels::CausalAttentionBackward(shape, qkv.data(), qkv.data() + k_at, qkv.data() + v_at, o.data(), log_sums.data(),
                                     d_o.data(), {d}, {d + k_at}, {d + v_at});
  }

  /// Operations of one product such as q·k or p·v: 2·dim for each pair of a query and a key under the causal mask.
  double PairFlops() const {
    const auto& [batch, length, heads, kv_heads, dim, q_stride, kv_stride, offset, borders] = shape;
    return static_cast<double>(batch * heads * length * (length + 1) / 2 * dim * 2);
  }

  Index width, k_at, v_at;
  kernels::AttentionSizes shape;
  Tensor qkv, d_o, o, dqkv, log_sums;
};

// The last sequence of an attention by its definition, query by query.
struct AttentionTwin {
  explicit AttentionTwin(const Attention& a)
      : first((a.shape.batch - 1) * a.shape.length),
        o(a.shape.length * a.shape.heads * a.shape.dim),
        dqkv(a.shape.length * a.width) {
    for (Index head = 0; head < a.shape.heads; ++head) {
      for (Index i = 0; i < a.shape.length; ++i) AddQuery(a, head, i);
    }
  }

  // p = softmax(q·k/√D) over keys 0..i;  o = Σ p_j v_j;  ds = p ⊙ (dp − Σ p·dp)/√D with dp_j = do·v_j
  void AddQuery(const Attention& a, Index head, Index i) {
    const Index dim = a.shape.dim, kv = head / (a.shape.heads / a.shape.kv_heads) * dim;
    const double scale = 1 / std::sqrt(static_cast<double>(dim));
    const auto at = [&](Index j, Index offset) { return a.qkv.row(first + j) + offset; };
    const Real *q = at(i, head * dim), *d_o = a.d_o.row(first + i) + head * dim;
    std::vector<double> p(i + 1), dp(i + 1);
    double sum = 0, p_dp = 0;
    for (Index j = 0; j <= i; ++j) sum += p[j] = std::exp(scale * Dot(q, at(j, a.k_at + kv), dim));
    for (Index j = 0; j <= i; ++j) {
      p[j] /= sum;
      dp[j] = Dot(d_o, at(j, a.v_at + kv), dim);
      p_dp += p[j] * dp[j];
    }
    for (Index j = 0; j <= i; ++j) {
      const double ds = scale * p[j] * (dp[j] - p_dp);
      const Real *k = at(j, a.k_at + kv), *v = at(j, a.v_at + kv);
      for (Index c = 0; c < dim; ++c) {
        o[(i * a.shape.heads + head) * dim + c] += p[j] * v[c];
        dqkv[i * a.width + head * dim + c] += ds * k[c];
        dqkv[j * a.width + a.k_at + kv + c] += ds * q[c];
        dqkv[j * a.width + a.v_at + kv + c] += p[j] * d_o[c];
      }
    }
  }

  static double Dot(const Real* x, const Real* y, Index n) {
    double sum = 0;
    for (Index c = 0; c < n; ++c) sum += double{x[c]} * y[c];
    return sum;
  }

  Index first;  // row of the sequence
  std::vector<double> o, dqkv;
};

// The share is 1e-5, because an error of q·k in float becomes a relative error of e^(q·k).
bool LastSequenceMatches(const Attention& a, const Tensor& got, const std::vector<double>& twin) {
  const Index rows = got.rows();
  return Matches(got.Rows(rows - a.shape.length, rows), twin, 1e-5);
}

Case Forward(Attention a) {
  const auto run = [a]() mutable { a.Forward(); };
  const auto matches = [a] { return LastSequenceMatches(a, a.o, AttentionTwin(a).o); };
  return {{a.PairFlops() * 2, Bytes(a.qkv.size() + a.o.size())}, run, matches};
}

// Four products. The kernel also computes the probabilities a second time; that is its choice and does not count.
Case Backward(Attention a) {
  a.Forward();
  const auto run = [a]() mutable { a.Backward(); };
  const auto matches = [a] { return LastSequenceMatches(a, a.dqkv, AttentionTwin(a).dqkv); };
  return {{a.PairFlops() * 4, Bytes(2 * a.qkv.size() + 2 * a.o.size())}, run, matches};
}

void Register(const std::string& name, Index batch, Index length, Index heads, Index kv_heads, Index dim) {
  const auto make = [=] { return Attention(batch, length, heads, kv_heads, dim); };
  RegisterCase("CausalAttention/" + name, [=] { return Forward(make()); });
  RegisterCase("CausalAttentionBackward/" + name, [=] { return Backward(make()); });
}

}  // namespace
}  // namespace ampgrad::bench

int main(int argc, char** argv) {
  ampgrad::bench::Register("photonic/8x128", 8, 128, 8, 8, 32);
  ampgrad::bench::Register("photonic/4x512", 4, 512, 8, 8, 32);
  ampgrad::bench::Register("tinyllama/1x512", 1, 512, 32, 4, 64);
  return ampgrad::bench::RunBenchmarks(argc, argv);
}
