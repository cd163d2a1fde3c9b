#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/op_testing.h"
#include "tests/support/small_models.h"
#include "train/adamw.h"

/// The explicit and the factored chain: two ways to the same gradient.
namespace ampgrad::ct {
namespace {

constexpr Start kStarts[] = {Start::kReconstructed, Start::kExact};

// ---- One matrix, where every rounding can be counted

std::vector<double> Magnitudes(const Tensor& t) {
  std::vector<double> values;
  for (const Real element : t) values.push_back(std::abs(static_cast<double>(element)));
  return values;
}

// |A|·|B|·|C|
std::vector<double> Triple(const Tensor& a, const Tensor& b, const Tensor& c) {
  const std::vector<double> ab =
      reference::LinearInOut<double>(Magnitudes(a), Magnitudes(b), {}, a.rows(), a.cols(), b.cols());
  return reference::LinearInOut<double>(ab, Magnitudes(c), {}, a.rows(), b.cols(), c.cols());
}

// How often a term of a sum of `terms` products is rounded: once per product, and once for each further block.
Index Roundings(Index terms) { return terms + (terms - 1) / kernels::kDepth; }

// The largest |a − b| / bound. Each result rounds each term at most `roundings` times, each time by u = eps/2 at most,
// so it is off by at most ((1 + u)^roundings − 1)·magnitude. The two may be off in opposite directions.
double ShareOfBound(const Tensor& a, const Tensor& b, const std::vector<double>& magnitude, Index roundings) {
  const double off = std::expm1(static_cast<double>(roundings) * std::log1p(kEpsilon / 2));
  if (a.shape() != b.shape() || a.size() != static_cast<Index>(magnitude.size())) return kNaN;
  double share = 0;
  for (Index i = 0; i < b.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= share * 2 * off * magnitude[static_cast<size_t>(i)])) {
      share = difference / (2 * off * magnitude[static_cast<size_t>(i)]);
    }
  }
  return share;
}

// x [rows, d] or [rows, n], W [n, d], K scores per row.
struct ProductSize {
  Index rows, n, k, d;
};

// One matrix in amplitude form, with scores moved from their start, an input, a bias and an incoming gradient.
struct OneMatrix {
  OneMatrix(const ProductSize& size, Layout layout, Start start)
      : size(size),
        layout(layout),
        start(start),
        x(Normal({size.rows, out_in() ? size.d : size.n}, 2)),
        bias(Normal({out_in() ? size.n : size.d}, 3)),
        moved(Normal({size.n, size.k}, 4)),
        dy(Normal({size.rows, bias.size()}, 5)) {}
  bool out_in() const { return layout == Layout::kOutIn; }

  struct Outcome {
    Tensor y, dx, ds, db, scores;
  };
  Outcome Run(nn::Chain chain) {
    const auto matrix = MakeMatrix("a", layout, Normal({size.n, size.d}, 1));
    const RowSource source{matrix.get(), layout, size.n, 1};
    basis = std::make_shared<const Basis>(ComputeBasis({source}, size.k));
    centre = start == Start::kExact ? ReadRows(source) : Tensor();
    UseAmplitude({source}, basis, start, chain);
    Param& scores = matrix->form->Part("scores");
    kernels::AddInto(moved.data(), scores.value.data(), moved.size());
    std::vector<Param> params = Trainable({x, bias});
    Tape tape;
    nn::Input input(tape.Leaf(params[0]));
    const Var b = tape.Leaf(params[1]), y = matrix->Apply(input, &b);
    tape.Backward(Probe(y, dy));
    return {y.value, params[0].grad, scores.grad, params[1].grad, scores.value};
  }
  // W with all terms positive: |S|·|B| + |C|
  Tensor Magnitude(const Tensor& scores) const {
    const std::vector<double> product =
        reference::LinearInOut<double>(Magnitudes(scores), Magnitudes(basis->vectors), {}, size.n, size.k, size.d);
    Tensor w({size.n, size.d});
    for (Index i = 0; i < w.size(); ++i) {
      const Real c = start == Start::kExact ? centre[i] : basis->mean[i % size.d];
      w[i] = static_cast<Real>((product[static_cast<size_t>(i)] + std::abs(c)) * (1 + 2 * kEpsilon));  // rounded up
    }
    return w;
  }

  ProductSize size;
  Layout layout;
  Start start;
  Tensor x, bias, moved, dy, centre;
  std::shared_ptr<const Basis> basis;
};

// |A|·|B| + |c| in each row
std::vector<double> Product(const Tensor& a, const Tensor& b, const Tensor& c = Tensor()) {
  return reference::LinearInOut<double>(Magnitudes(a), Magnitudes(b), c.empty() ? std::vector<double>() : Magnitudes(c),
                                        a.rows(), a.cols(), b.cols());
}

// W = S·B + C rounds each term K + 1 times, as W or through B' = (B; μ) and S' = (S | 1); the sum over x or dy adds its
// own roundings. dS does not depend on S: it takes two sums, of N and of d terms, in either order.
void ExpectChainsAgree(const ProductSize& size, Layout layout, Start start) {
  OneMatrix m(size, layout, start);
  SCOPED_TRACE(Sizes({size.rows, size.n, size.k, size.d}) + (m.out_in() ? ", x·Wᵀ, " : ", x·W, ") + ToString(start));
  const OneMatrix::Outcome by_dw = m.Run(nn::Chain::kExplicit), factored = m.Run(nn::Chain::kFactored);
  const Tensor w = m.Magnitude(by_dw.scores), w_in_out = m.out_in() ? kernels::Transposed(w) : w;
  const Index in = m.x.cols(), out = m.bias.size(), w_roundings = Roundings(size.k + 1);
  const auto share = [&](const char* name, const Tensor& a, const Tensor& b, const std::vector<double>& magnitude,
                         Index roundings) {
    const double worst = ShareOfBound(a, b, magnitude, roundings);
    EXPECT_LE(worst, 1) << name;
    const bool same_products = start == Start::kExact && name != std::string("dS");  // both make W
    EXPECT_TRUE(!same_products || SameBits(a, b)) << name;
  };
  share("y", factored.y, by_dw.y, Product(m.x, w_in_out, m.bias), w_roundings + Roundings(in) + 1);
  share("dx", factored.dx, by_dw.dx, Product(m.dy, kernels::Transposed(w_in_out)), w_roundings + Roundings(out));
  const Tensor basis_t = kernels::Transposed(m.basis->vectors);
  share("dS", factored.ds, by_dw.ds,
        m.out_in() ? Triple(kernels::Transposed(m.dy), m.x, basis_t) : Triple(kernels::Transposed(m.x), m.dy, basis_t),
        Roundings(size.rows) + Roundings(size.d));
  EXPECT_TRUE(SameBits(factored.db, by_dw.db));
}

TEST(Chains, AgreeForOneMatrixWithinTheirRoundings) {
  for (const Start start : kStarts) {
    for (const Layout layout : kLayouts) {
      for (const ProductSize& size : std::vector<ProductSize>{
               {1, 1, 1, 1}, {1, 5, 2, 7}, {3, 4, 1, 5}, {17, 9, 3, 16}, {64, 33, 16, 48}, {300, 21, 5, 280}}) {
        ExpectChainsAgree(size, layout, start);
      }
    }
  }
}

// ---- A whole model

constexpr Index kSampleLength = 8;

std::unique_ptr<models::LanguageModel> WithChain(models::LanguageModel& base, Start start, nn::Chain chain) {
  const auto blocks = [](models::LanguageModel& model) {
    return SelectRows(model.Parts().matrices, model.width(), RowsPolicy::kBlocks);
  };
  std::unique_ptr<models::LanguageModel> model = base.Clone();
  models::SetTrainable(*model, false);
  UseAmplitude(blocks(*model), std::make_shared<const Basis>(ComputeBasis(blocks(base), 3)), start, chain);
  return model;
}

// Runs a backward pass and returns the loss.
double BackpropagateLoss(models::LanguageModel& model) {
  Tape tape;
  const Var logits = model.Logits(tape, RandomIds(2 * kSampleLength, model.vocabulary(), 1), kSampleLength);
  const Var loss = MeanCrossEntropy(logits, RandomIds(2 * kSampleLength, model.vocabulary(), 2));
  tape.Backward(loss);
  return loss.value[0];
}

std::vector<double> TrainWithAdamW(models::LanguageModel& model, int steps) {
  train::AdamW optimizer(models::TrainableParameters(model), {});
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    optimizer.ZeroGrad();
    losses.push_back(BackpropagateLoss(model));
    optimizer.Step(1e-2);
  }
  return losses;
}

// The gradients of a matrix differ by the roundings of both blocks, forward and backward: some dozen products of up to
// 64 terms are rounded differently, each by a few eps. Norms and softmax pass these errors on with about the same size.
constexpr double kGradientsApart = 32 * kEpsilon, kLossesApart = 4 * kEpsilon;

TEST(Chains, AgreeForAWholeModel) {
  for (const bool tied : {true, false}) {
    for (const Start start : kStarts) {
      const auto base = TinyGpt(11, tied);
      const auto by_dw = WithChain(*base, start, nn::Chain::kExplicit),
                 factored = WithChain(*base, start, nn::Chain::kFactored);
      TrainWithAdamW(*by_dw, 3);  // so that S is not where it starts
      const std::vector<Param*> expected = models::TrainableParameters(*by_dw),
                                found = models::TrainableParameters(*factored);
      ASSERT_EQ(found.size(), 8u);
      ASSERT_EQ(expected.size(), 8u);
      for (size_t i = 0; i < 8; ++i) {
        expected[i]->grad = Tensor();
        found[i]->value = expected[i]->value;
      }
      const double loss = BackpropagateLoss(*by_dw);
      EXPECT_NEAR(BackpropagateLoss(*factored), loss, kLossesApart * loss);
      for (size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(found[i]->name, expected[i]->name);
        const Comparison c = Compare(found[i]->grad, ToDoubles(expected[i]->grad));
        EXPECT_LE(c.relative_error, kGradientsApart) << ToString(start) << ", " << found[i]->name;
      }
    }
  }
}

// Where a score's gradient is nearly 0, AdamW's first steps may go in either direction; the loss does not show it.
TEST(Chains, LossesAgreeWhileAdamWTrains) {
  for (const Start start : kStarts) {
    const auto base = TinyGpt(12);
    const auto by_dw = TrainWithAdamW(*WithChain(*base, start, nn::Chain::kExplicit), 10);
    const auto factored = TrainWithAdamW(*WithChain(*base, start, nn::Chain::kFactored), 10);
    EXPECT_LT(by_dw.back(), by_dw.front() - 0.1);
    for (size_t i = 0; i < by_dw.size(); ++i) {
      EXPECT_NEAR(factored[i], by_dw[i], 4 * kLossesApart * by_dw[i]) << ToString(start) << ", step " << i;
    }
  }
}

TEST(Chains, ExactStartsAtTheModelBitForBit) {
  for (const bool tied : {true, false}) {
    const auto base = TinyGpt(13, tied);
    const std::vector<int> ids = RandomIds(2 * kSampleLength, base->vocabulary(), 1);
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
      EXPECT_TRUE(SameBits(LogitsOf(*WithChain(*base, Start::kExact, chain), ids, kSampleLength),
                           LogitsOf(*base, ids, kSampleLength)));
    }
  }
}

TEST(Chains, MergeToTheSameBits) {
  for (const Start start : kStarts) {
    const auto base = TinyGpt(14);
    const auto by_dw = WithChain(*base, start, nn::Chain::kExplicit),
               factored = WithChain(*base, start, nn::Chain::kFactored);
    for (const nn::Matrix* matrix : by_dw->Parts().matrices) {
      EXPECT_TRUE(
          SameBits(matrix->form->Merged().Widened(), FindMatrix(*factored, matrix->name)->form->Merged().Widened()));
    }
  }
}

TEST(Chains, TrainToTheSameBitsOnAnyNumberOfThreads) {
  for (const Start start : kStarts) {
    const auto base = TinyGpt(15);
    std::vector<Tensor> first;
    for (const int threads : {1, 2, 3}) {
      SetNumThreads(threads);
      const auto model = WithChain(*base, start, nn::Chain::kFactored);
      TrainWithAdamW(*model, 4);
      const std::vector<Param*> scores = models::TrainableParameters(*model);
      for (size_t i = 0; i < scores.size(); ++i) {
        if (threads == 1) first.push_back(scores[i]->value);
        EXPECT_TRUE(SameBits(scores[i]->value, first[i])) << scores[i]->name << ", " << threads << " threads";
      }
    }
    SetNumThreads(0);
  }
}

// ---- What the tape holds

Index CountOps(const Tape& tape, const std::string& op) {
  Index count = 0;
  for (int node = 0; node < tape.size(); ++node) count += tape.op(node) == op;
  return count;
}

TEST(Chains, FactoredFormsNoWeightGradient) {
  const auto base = TinyGpt(16);
  const std::vector<int> ids = RandomIds(2 * kSampleLength, base->vocabulary(), 1);
  for (const Start start : kStarts) {
    Tape by_dw, factored;
    WithChain(*base, start, nn::Chain::kExplicit)->Logits(by_dw, ids, kSampleLength);
    WithChain(*base, start, nn::Chain::kFactored)->Logits(factored, ids, kSampleLength);
    EXPECT_EQ(CountOps(by_dw, "reconstruct"), 8);
    EXPECT_EQ(CountOps(factored, "reconstruct"), 0);
    EXPECT_EQ(CountOps(factored, "append_ones"), start == Start::kReconstructed ? 8 : 0);
    EXPECT_EQ(CountOps(factored, "factored_linear"), start == Start::kExact ? 8 : 0);
    // c_attn's W is [48, 16]; no activation has this shape, since each has 16 rows.
    const auto has = [](const Tape& tape, const Shape& shape) {
      for (int node = 0; node < tape.size(); ++node) {
        if (tape.shape(node) == shape) return true;
      }
      return false;
    };
    EXPECT_TRUE(has(by_dw, {48, 16}));
    EXPECT_FALSE(has(factored, {48, 16}));
  }
}

TEST(Chains, AFrozenModelRecordsNothing) {
  const auto base = TinyGpt(17);
  const std::vector<int> ids = RandomIds(2 * kSampleLength, base->vocabulary(), 1);
  for (const Start start : kStarts) {
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
      const auto model = WithChain(*base, start, chain);
      Tape inference(Tape::Mode::kInference), recording, frozen;
      const Tensor logits = model->Logits(inference, ids, kSampleLength).value;
      EXPECT_TRUE(SameBits(model->Logits(recording, ids, kSampleLength).value, logits));
      EXPECT_GT(recording.size(), 0);
      models::SetTrainable(*model, false);
      EXPECT_TRUE(SameBits(model->Logits(frozen, ids, kSampleLength).value, logits));
      EXPECT_EQ(inference.size() + frozen.size(), 0);
    }
  }
}

TEST(Input, DerivesOnceForEachKey) {
  Tape tape;
  nn::Input input(tape.Constant(Normal({3, 2}, 1)));
  const int one = 0, two = 0;
  int made = 0;
  const auto make = [&](const Var& x) {
    EXPECT_TRUE(SameBits(x.value, input.x().value));
    ++made;
    return ops::Add(x, x);
  };
  const Tensor first = input.Derived(&one, make).value;
  EXPECT_EQ(made, 1);
  EXPECT_EQ(input.Derived(&one, make).value.data(), first.data());
  EXPECT_EQ(made, 1);
  EXPECT_NE(input.Derived(&two, make).value.data(), first.data());
  EXPECT_EQ(made, 2);
  EXPECT_EQ(input.Derived(&one, make).value.data(), first.data());
  nn::Input other(input.x());
  other.Derived(&one, make);
  EXPECT_EQ(made, 3);
}

// Two matrices that read one input, like q and k of a Llama block.
struct TwoMatrices {
  explicit TwoMatrices(Start start) {
    std::vector<RowSource> sources;
    for (const uint64_t stream : {1, 2}) {
      matrices.push_back(MakeMatrix("m" + std::to_string(stream), Layout::kOutIn, Normal({32, 16}, stream)));
      sources.push_back(SourceOf(*matrices.back()));
    }
    UseAmplitude(sources, std::make_shared<const Basis>(ComputeBasis(sources, 4)), start, nn::Chain::kFactored);
  }
  std::vector<std::unique_ptr<nn::Matrix>> matrices;
};

TEST(Input, MatricesThatReadItShareOneProjection) {
  Param x = Trainable({Normal({64, 16}, 3)})[0];
  for (const bool shared : {true, false}) {
    TwoMatrices two(Start::kReconstructed);
    Tape tape;
    nn::Input input(tape.Leaf(x)), other(input.x());
    const Var q = two.matrices[0]->Apply(input, nullptr), k = two.matrices[1]->Apply(shared ? input : other, nullptr);
    EXPECT_EQ(CountOps(tape, "append_ones"), 2);
    EXPECT_EQ(CountOps(tape, "linear"), shared ? 3 : 4);  // x·B'ᵀ, and one for each matrix
    const int q_reads = tape.inputs(q.node)[0], k_reads = tape.inputs(k.node)[0];
    EXPECT_EQ(q_reads == k_reads, shared);
    EXPECT_EQ(tape.shape(q_reads), Shape({64, 5}));
  }
}

// With start exact the projection is not a node, only a tensor that both closures keep.
TEST(Input, MatricesThatReadItKeepOneProjection) {
  SetNumThreads(1);  // otherwise another thread might allocate its work space while bytes are counted
  Param x = Trainable({Normal({64, 16}, 3)})[0];
  TwoMatrices two(Start::kExact);
  const auto kept_bytes = [&](bool shared) {
    Tape tape;
    const Index before = Tensor::LiveBytes();
    {
      nn::Input input(tape.Leaf(x)), other(input.x());
      two.matrices[0]->Apply(input, nullptr);
      two.matrices[1]->Apply(shared ? input : other, nullptr);
    }
    return Tensor::LiveBytes() - before;
  };
  kept_bytes(true);  // the first product of a size allocates its work space
  constexpr Index kProjection = 64 * 4 * sizeof(Real), kWeight = 32 * 16 * sizeof(Real);
  EXPECT_EQ(kept_bytes(true), 2 * kWeight + kProjection);
  EXPECT_EQ(kept_bytes(false), 2 * kWeight + 2 * kProjection);
  SetNumThreads(0);
}

}  // namespace
}  // namespace ampgrad::ct
