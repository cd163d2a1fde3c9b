#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "ct/factored.h"
#include "ct/reconstruct.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/op_testing.h"
#include "tests/support/small_models.h"

/// The two ops of the factored chain. Whole models that use them are in test_chains.cc.
namespace ampgrad::ct {
namespace {

// ---- AppendOnes

struct Scores {
  Index n, k;
};
const std::vector<Scores> kScores = {{1, 1}, {1, 7}, {5, 1}, {3, 2}, {7, 3}, {17, 5}, {4, 33}, {2, 300}};

TEST(AppendOnes, GradMatchesComplexStep) {
  for (const auto& [n, k] : kScores) {
    SCOPED_TRACE(Sizes({n, k}));
    ExpectGradMatches(
        "append_ones", [](Tape&, const Vars& x) { return AppendOnes(x[0]); },
        [n = n, k = k](const ComplexInputs& x) { return reference::AppendOnes(x[0], n, k); },
        {{"S", Normal({n, k}, 0)}}, kSeed);
  }
}

// Nothing is computed, so nothing is rounded.
TEST(AppendOnes, CopiesBitForBit) {
  for (const auto& [n, k] : kScores) {
    SCOPED_TRACE(Sizes({n, k}));
    std::vector<Param> params = Trainable({Normal({n, k}, 0)});
    const Tensor dy = Normal({n, k + 1}, 1);
    const auto append = [](Tape&, const Vars& x) { return AppendOnes(x[0]); };
    Backpropagate(append, params, dy);
    Tape tape;
    const Tensor y = AppendOnes(tape.Constant(params[0].value)).value;
    ASSERT_EQ(y.shape(), Shape({n, k + 1}));
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < k; ++j) {
        EXPECT_EQ(y.row(i)[j], params[0].value.row(i)[j]);
        EXPECT_EQ(params[0].grad.row(i)[j], dy.row(i)[j]);
      }
      EXPECT_EQ(y.row(i)[k], 1);
    }
  }
}

TEST(AppendOnes, RejectsWrongShape) {
  Tape tape;
  for (const Shape shape : {Shape{}, Shape{6}, Shape{1, 3, 2}}) {
    ExpectMessage<std::invalid_argument>([&] { AppendOnes(tape.Constant(Tensor(shape))); },
                                         "[append_ones] expected S [n, K], found S " + shape.ToString());
  }
}

TEST(AppendOnes, SavesNothing) {
  Param scores{"s", Normal({64, 16}, 0), {}};
  Tape tape;
  const Index baseline = Tensor::LiveBytes();
  Var y = AppendOnes(tape.Leaf(scores));
  EXPECT_GT(Tensor::LiveBytes(), baseline);
  y.value = Tensor();
  EXPECT_EQ(Tensor::LiveBytes(), baseline);
  scores.value = Tensor();
  EXPECT_EQ(Tensor::LiveBytes(), baseline - static_cast<Index>(64 * 16 * sizeof(Real)));
  EXPECT_EQ(tape.size(), 2);
}

// ---- FactoredLinear

// x [rows, d] or [rows, n], S [n, k], B [k, d], C [n, d].
struct FactoredSize {
  Index rows, n, k, d;
};
// Ones, odd numbers, tails of every vector width, and a sum longer than a block of the product.
const std::vector<FactoredSize> kFactoredSizes = {{1, 1, 1, 1}, {1, 5, 1, 7}, {3, 1, 2, 1},   {3, 4, 2, 5},
                                                  {7, 3, 9, 6}, {2, 9, 5, 3}, {5, 17, 3, 33}, {2, 3, 300, 2}};

// One use of the op: all its tensors, and the op as a function of x, S and, with a bias, b.
struct Use {
  Use(const FactoredSize& size, Layout layout, bool with_bias)
      : size(size),
        layout(layout),
        with_bias(with_bias),
        basis(Normal({size.k, size.d}, 1)),
        centre(Normal({size.n, size.d}, 2)),
        values{Normal({size.rows, in()}, 3), Normal({size.n, size.k}, 4)} {
    if (with_bias) values.push_back(Normal({out()}, 5));
  }

  bool out_in() const { return layout == Layout::kOutIn; }
  Index in() const { return out_in() ? size.d : size.n; }
  Index out() const { return out_in() ? size.n : size.d; }
  std::string Name() const {
    return Sizes({size.rows, size.n, size.k, size.d}) + (out_in() ? ", x·Wᵀ" : ", x·W") + (with_bias ? " + b" : "");
  }
  Tensor Projection(const Tensor& x) const {
    Tensor projection = Tensor::Uninitialized({x.rows(), size.k});
    kernels::ProductNT(x, basis, {projection.data()});
    return projection;
  }
  Var Run(const Vars& x) const {
    const Tensor projection = out_in() ? Projection(x[0].value) : Tensor();
    return FactoredLinear(x[0], projection, x[1], basis, centre, layout, with_bias ? &x[2] : nullptr);
  }
  OpFn Op() const {
    return [this](Tape&, const Vars& x) { return Run(x); };
  }

  FactoredSize size;
  Layout layout;
  bool with_bias;
  Tensor basis, centre;
  std::vector<Tensor> values;
};

void ForEachUse(const std::function<void(const Use&)>& body) {
  for (const FactoredSize& size : kFactoredSizes) {
    for (const Layout layout : kLayouts) {
      for (const bool with_bias : {false, true}) {
        const Use use(size, layout, with_bias);
        SCOPED_TRACE(use.Name());
        body(use);
      }
    }
  }
}

TEST(FactoredLinear, GradMatchesComplexStep) {
  ForEachUse([](const Use& use) {
    const auto [rows, n, k, d] = use.size;
    const std::vector<Complex> b(use.basis.begin(), use.basis.end()), c(use.centre.begin(), use.centre.end());
    std::vector<CheckInput> inputs = {{"x", use.values[0]}, {"S", use.values[1]}};
    if (use.with_bias) inputs.push_back({"b", use.values[2]});
    const auto reference = [&, rows = rows, n = n, k = k, d = d](const ComplexInputs& x) {
      const std::vector<Complex> w = reference::Reconstruct<Complex>(x[1], b, c, n, k, d);
      const std::vector<Complex> bias = use.with_bias ? x[2] : std::vector<Complex>();
      return use.out_in() ? reference::LinearOutIn(x[0], w, bias, rows, d, n)
                          : reference::LinearInOut(x[0], w, bias, rows, n, d);
    };
    ExpectGradMatches("factored_linear", use.Op(), reference, inputs, kSeed);
  });
}

// The forward, dx and db are the same products of the same values as Reconstruct and Linear, one after the other.
TEST(FactoredLinear, IsLinearOfReconstructBitForBit) {
  ForEachUse([](const Use& use) {
    const OpFn explicit_chain = [&](Tape&, const Vars& x) {
      return ops::Linear(x[0], Reconstruct(x[1], use.basis, use.centre), use.layout, use.with_bias ? &x[2] : nullptr);
    };
    std::vector<Param> factored = Trainable(use.values), by_dw = Trainable(use.values);
    EXPECT_TRUE(SameBits(ForwardBackward(use.Op(), factored, kSeed), ForwardBackward(explicit_chain, by_dw, kSeed)));
    EXPECT_TRUE(SameBits(factored[0].grad, by_dw[0].grad));
    for (size_t i = 2; i < factored.size(); ++i) EXPECT_TRUE(SameBits(factored[i].grad, by_dw[i].grad));
  });
}

TEST(FactoredLinear, FrozenInputsGetNoGradient) {
  ForEachUse([](const Use& use) {
    std::vector<Param> all = Trainable(use.values);
    ForwardBackward(use.Op(), all, kSeed);
    const int count = static_cast<int>(use.values.size());
    for (int trained = 1; trained < 1 << count; ++trained) {  // every subset but the empty one
      std::vector<Param> some = Trainable(use.values);
      for (int i = 0; i < count; ++i) some[i].trainable = trained >> i & 1;
      ForwardBackward(use.Op(), some, kSeed);
      for (int i = 0; i < count; ++i) {
        EXPECT_EQ(some[i].grad.empty(), !some[i].trainable) << i;
        EXPECT_TRUE(!some[i].trainable || SameBits(some[i].grad, all[i].grad)) << i;
      }
    }
    Tape tape;
    Vars constants;
    for (const Tensor& value : use.values) constants.push_back(tape.Constant(value));
    EXPECT_FALSE(use.Run(constants).needs_grad());
    EXPECT_EQ(tape.size(), 0);
  });
}

TEST(FactoredLinear, RejectsWrongShape) {
  Tape tape;
  const auto rejects = [&](Layout layout, Shape x, Shape s, Shape b, Shape c) {
    const char* expected =
        layout == Layout::kOutIn ? "x [N, d], S [n, K], B [K, d], C [n, d]" : "x [N, n], S [n, K], B [K, d], C [n, d]";
    ExpectMessage<std::invalid_argument>(
        [&] {
          FactoredLinear(tape.Constant(Tensor(x)), Tensor({4, 2}), tape.Constant(Tensor(s)), Tensor(b), Tensor(c),
                         layout, nullptr);
        },
        std::string("[factored_linear] expected ") + expected + ", found x " + x.ToString() + ", S " + s.ToString() +
            ", B " + b.ToString() + ", C " + c.ToString());
  };
  for (const Layout layout : kLayouts) {
    const Shape x = layout == Layout::kOutIn ? Shape{4, 5} : Shape{4, 3}, s = {3, 2}, b = {2, 5}, c = {3, 5};
    rejects(layout, layout == Layout::kOutIn ? Shape{4, 3} : Shape{4, 5}, s, b, c);  // x of the other layout
    rejects(layout, {2, 2, x.cols()}, s, b, c);                                      // rank of x
    rejects(layout, {x.cols()}, s, b, c);
    rejects(layout, x, {3, 3}, b, c);  // K of S
    rejects(layout, x, {1, 3, 2}, b, c);
    rejects(layout, x, s, {2, 4}, c);     // d of B
    rejects(layout, x, s, {3, 5}, c);     // K of B
    rejects(layout, x, s, b, {3, 4});     // d of C
    rejects(layout, x, s, b, {2, 5});     // n of C
    rejects(layout, x, s, b, {5});        // the mean row, which AppendOnes is for
    rejects(layout, x, s, {1, 2, 5}, c);  // rank of B
  }
}

TEST(FactoredLinear, RejectsWrongProjectionOrBias) {
  Tape tape;
  const Var x = tape.Constant(Tensor({4, 5})), s = tape.Constant(Tensor({3, 2}));
  const Tensor b({2, 5}), c({3, 5});
  const auto run = [&](const Tensor& projection, Shape bias_shape) {
    const Var bias = tape.Constant(Tensor(bias_shape));
    FactoredLinear(x, projection, s, b, c, Layout::kOutIn, &bias);
  };
  for (const Shape shape : {Shape{3, 2}, Shape{4, 3}, Shape{4, 1}, Shape{8}, Shape{}}) {
    ExpectMessage<std::invalid_argument>(
        [&] { run(Tensor(shape), {3}); },
        "[factored_linear] expected P [N, K], found P " + shape.ToString() + ", x [4, 5], S [3, 2]");
  }
  for (const Shape shape : {Shape{5}, Shape{1, 3}, Shape{}}) {
    ExpectMessage<std::invalid_argument>(
        [&] {
          run(Tensor({4, 2}), shape);
        },
        "[factored_linear] expected b as wide as y, found b " + shape.ToString());
  }
  EXPECT_NO_THROW(run(Tensor({4, 2}), {3}));
  const Var in_out_x = tape.Constant(Tensor({4, 3})), wide = tape.Constant(Tensor({5}));
  EXPECT_NO_THROW(FactoredLinear(in_out_x, Tensor(), s, b, c, Layout::kInOut, &wide));
  EXPECT_THROW(FactoredLinear(in_out_x, Tensor(), s, b, c, Layout::kInOut, &s), std::invalid_argument);
}

// What the closure keeps after all other owners are gone: W if x is trained, P or x if S is trained. All sizes are
// multiples of a cache line, so that bytes can be counted.
TEST(FactoredLinear, SavesWhatItSays) {
  constexpr FactoredSize kSize = {64, 96, 16, 32};
  constexpr Index kW = 96 * 32 * sizeof(Real), kP = 64 * 16 * sizeof(Real), kX = 64 * 96 * sizeof(Real);
  SetNumThreads(1);  // otherwise another thread might allocate its work space while bytes are counted
  for (const Layout layout : kLayouts) {
    for (const bool x_trained : {true, false}) {
      for (const bool s_trained : {true, false}) {
        Use use(kSize, layout, true);
        std::vector<Param> params = Trainable(use.values);
        params[0].trainable = x_trained;
        params[1].trainable = s_trained;
        ForwardBackward(use.Op(), params, kSeed);  // the first product of a size allocates its work space
        for (Param& param : params) param.grad = Tensor();
        use.values.clear();
        const Index values = Tensor::LiveBytes();
        Tape tape;
        Vars vars = {tape.Leaf(params[0]), tape.Leaf(params[1]), tape.Leaf(params[2])};
        const Var y = Var(use.Run(vars));
        EXPECT_TRUE(y.needs_grad());
        const Index y_bytes = y.value.size() * static_cast<Index>(sizeof(Real));
        const bool keeps_p = s_trained && use.out_in();
        EXPECT_EQ(Tensor::LiveBytes() - values, y_bytes + (x_trained ? kW : 0) + (keeps_p ? kP : 0)) << use.Name();
        // Of x and S themselves it keeps x where dS = xᵀ·(dy·Bᵀ) needs it, and never S.
        const Index before = Tensor::LiveBytes();
        vars.clear();
        params[1].value = Tensor();
        EXPECT_EQ(before - Tensor::LiveBytes(), static_cast<Index>(96 * 16 * sizeof(Real))) << use.Name();
        const Index x_bytes = use.out_in() ? static_cast<Index>(64 * 32 * sizeof(Real)) : kX;
        params[0].value = Tensor();
        const bool keeps_x = s_trained && !use.out_in();
        EXPECT_EQ(before - Tensor::LiveBytes(), static_cast<Index>(96 * 16 * sizeof(Real)) + (keeps_x ? 0 : x_bytes))
            << use.Name();
      }
    }
  }
  SetNumThreads(0);
}

// After a backward pass only the gradients of the inputs remain, and no node of the tape is as large as dW.
TEST(FactoredLinear, LeavesNoGradientOfW) {
  SetNumThreads(1);
  for (const Layout layout : kLayouts) {
    const Use use({8, 96, 16, 32}, layout, true);
    std::vector<Param> params = Trainable(use.values);
    ForwardBackward(use.Op(), params, kSeed);
    Index gradients = 0;
    for (Param& param : params) {
      gradients += param.grad.size() * static_cast<Index>(sizeof(Real));
      param.grad = Tensor();
    }
    const Index before = Tensor::LiveBytes();
    Tape tape;
    {
      const Var y = use.Run({tape.Leaf(params[0]), tape.Leaf(params[1]), tape.Leaf(params[2])});
      tape.Backward(Probe(y, IncomingGradient(y.shape(), kSeed)));
    }
    EXPECT_EQ(Tensor::LiveBytes() - before, gradients) << use.Name();
    for (int node = 0; node < tape.size(); ++node) EXPECT_LT(tape.shape(node).size(), 96 * 32) << tape.op(node);
  }
  SetNumThreads(0);
}

// Products large enough to be cut into tasks.
TEST(FactoredLinear, SameBitsForAnyNumberOfThreads) {
  for (const Layout layout : kLayouts) {
    const Use use({190, 210, 40, 170}, layout, true);
    std::vector<Param> first;
    for (const int threads : {1, 2, 3}) {
      SetNumThreads(threads);
      std::vector<Param> params = Trainable(use.values);
      ForwardBackward(use.Op(), params, kSeed);
      if (first.empty()) first = params;
      for (size_t i = 0; i < params.size(); ++i) EXPECT_TRUE(SameBits(params[i].grad, first[i].grad)) << threads;
    }
  }
  SetNumThreads(0);
}

}  // namespace
}  // namespace ampgrad::ct
