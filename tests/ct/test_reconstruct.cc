#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "ct/reconstruct.h"
#include "nn/forms/frozen.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"
#include "tests/reference/ops.h"
#include "tests/support/expect_message.h"
#include "tests/support/op_testing.h"
#include "tests/support/small_models.h"
#include "tests/support/stored.h"

/// The op W = S·B + C, and the weight form that is built on it.
namespace ampgrad::ct {
namespace {

struct ReconstructedSize {
  Index n, k, d;
};
// Ones, odd numbers, tails of every vector width, and a sum longer than a block of the product.
const std::vector<ReconstructedSize> kReconstructedSizes = {{1, 1, 1}, {1, 1, 7},   {5, 1, 1},   {3, 2, 5},
                                                            {7, 3, 9}, {17, 5, 31}, {4, 33, 33}, {2, 300, 5}};

void CheckReconstruct(const ReconstructedSize& size, bool one_row) {
  const auto [n, k, d] = size;
  SCOPED_TRACE("n " + std::to_string(n) + ", K " + std::to_string(k) + ", d " + std::to_string(d));
  const Tensor b = Normal({k, d}, 1), c = Normal(one_row ? Shape{d} : Shape{n, d}, 2);
  ExpectGradMatches(
      "reconstruct", [&](Tape&, const std::vector<Var>& x) { return Reconstruct(x[0], b, c); },
      [&, n = n, k = k, d = d](const std::vector<std::vector<Complex>>& x) {
        return reference::Reconstruct<Complex>(x[0], {b.begin(), b.end()}, {c.begin(), c.end()}, n, k, d);
      },
      {{"scores", Normal({n, k}, 3)}}, 5);
}

TEST(Reconstruct, GradMatchesComplexStepAroundTheMeanRow) {
  for (const ReconstructedSize& size : kReconstructedSizes) CheckReconstruct(size, true);
}

TEST(Reconstruct, GradMatchesComplexStepAroundPretrainedRows) {
  for (const ReconstructedSize& size : kReconstructedSizes) CheckReconstruct(size, false);
}

TEST(Reconstruct, EqualsFullWeightGradientTimesBasis) {
  constexpr Index kN = 11, kK = 4, kD = 19;
  const Tensor b = Normal({kK, kD}, 1), c = Normal({kD}, 2), dw = Normal({kN, kD}, 4);
  Param scores{"s", Normal({kN, kK}, 3), {}};
  Tape tape;
  tape.Backward(Probe(Reconstruct(tape.Leaf(scores), b, c), dw));
  for (Index i = 0; i < kN; ++i) {
    for (Index k = 0; k < kK; ++k) {
      double sum = 0, magnitude = 0;
      for (Index j = 0; j < kD; ++j) {
        sum += static_cast<double>(dw.row(i)[j]) * b.row(k)[j];
        magnitude += std::abs(static_cast<double>(dw.row(i)[j]) * b.row(k)[j]);
      }
      EXPECT_LE(std::abs(scores.grad.row(i)[k] - sum), kD * kEpsilon * magnitude) << i << ", " << k;
    }
  }
}

TEST(Reconstruct, RejectsWrongShape) {
  Tape tape;
  const Var s = tape.Constant(Tensor({3, 2}));
  const auto rejects = [&](const Var& scores, Shape basis, Shape centre) {
    ExpectMessage<std::invalid_argument>([&] { Reconstruct(scores, Tensor(basis), Tensor(centre)); },
                                         "[reconstruct] expected S [n, K], B [K, d], C [d] or [n, d], found S " +
                                             scores.shape().ToString() + ", B " + basis.ToString() + ", C " +
                                             centre.ToString());
  };
  rejects(s, {3, 5}, {5});     // K
  rejects(s, {2, 5}, {4});     // d
  rejects(s, {2, 5}, {2, 5});  // n
  rejects(s, {2, 5}, {3, 4});  // d
  rejects(s, {2, 5}, {1, 5});  // a row is [d], not [1, d]
  rejects(s, {2, 5}, {3});     // n instead of d
  rejects(s, {1, 2, 5}, {5});  // rank of B
  rejects(s, {2, 5}, {});      // rank of C
  rejects(tape.Constant(Tensor({6})), {6, 5}, {5});
  rejects(tape.Constant(Tensor({1, 3, 2})), {2, 5}, {5});
}

// The tape must keep neither S nor W: each is freed as soon as its last owner is gone.
TEST(Reconstruct, SavesNothing) {
  constexpr Index kN = 64, kK = 16, kD = 32;
  constexpr Index kBytesOfW = kN * kD * sizeof(Real), kBytesOfS = kN * kK * sizeof(Real);
  SetNumThreads(1);  // otherwise another thread might allocate its work space while bytes are counted
  for (const bool one_row : {true, false}) {
    const Tensor b = Normal({kK, kD}, 1), c = Normal(one_row ? Shape{kD} : Shape{kN, kD}, 2);
    Param scores{"s", Normal({kN, kK}, 3), {}};
    Tape tape;
    Reconstruct(tape.Constant(scores.value), b, c);  // the first product of a size allocates its work space
    const Index baseline = Tensor::LiveBytes();
    Var s = tape.Leaf(scores);
    Var w = Reconstruct(s, b, c);
    ASSERT_TRUE(w.needs_grad());
    EXPECT_EQ(Tensor::LiveBytes(), baseline + kBytesOfW);
    w.value = Tensor();
    EXPECT_EQ(Tensor::LiveBytes(), baseline);
    s.value = Tensor();
    scores.value = Tensor();
    EXPECT_EQ(Tensor::LiveBytes(), baseline - kBytesOfS);
    EXPECT_EQ(tape.size(), 2);
  }
  SetNumThreads(0);
}

TEST(Reconstruct, RecordsNothingForFrozenScores) {
  Param scores{"s", Normal({3, 2}, 3), {}, false};
  Tape tape;
  EXPECT_FALSE(Reconstruct(tape.Leaf(scores), Normal({2, 5}, 1), Normal({5}, 2)).needs_grad());
  EXPECT_EQ(tape.size(), 0);
}

// A matrix [out, in] or [in, out] and a basis of its rows.
struct Decomposed {
  Decomposed(Layout stored_layout, Layout rows_layout, Index k)
      : matrix(
            MakeMatrix("a.weight", stored_layout, Normal(stored_layout == rows_layout ? Shape{9, 6} : Shape{6, 9}, 7))),
        source{matrix.get(), rows_layout, 9, 1},
        stored(matrix->form->Merged().Widened().Clone()),
        rows(ReadRows(source).Clone()),
        basis(std::make_shared<const Basis>(ComputeBasis({source}, k))) {}

  std::unique_ptr<nn::Matrix> matrix;
  RowSource source;
  Tensor stored, rows;  // the weight before its form changes
  std::shared_ptr<const Basis> basis;
};

TEST(Amplitude, ReconstructedIsTheRebuiltMatrix) {
  for (const Layout stored : kLayouts) {
    for (const Layout rows : kLayouts) {
      Decomposed m(stored, rows, 2);
      UseAmplitude({m.source}, m.basis, Start::kReconstructed);
      Tape tape;
      auto& form = dynamic_cast<nn::MadeForm&>(*m.matrix->form);
      const Var weight = form.Make(tape);
      EXPECT_EQ(form.made_layout(), rows);
      EXPECT_TRUE(weight.needs_grad());
      // S = (W − μ)·Bᵀ, then S·B + μ, in double.
      for (Index i = 0; i < 9; ++i) {
        std::vector<double> rebuilt(m.basis->mean.begin(), m.basis->mean.end());
        for (Index k = 0; k < 2; ++k) {
          double score = 0;
          for (Index j = 0; j < 6; ++j) {
            score += (static_cast<double>(m.rows.row(i)[j]) - m.basis->mean[j]) * m.basis->vectors.row(k)[j];
          }
          EXPECT_LE(std::abs(m.matrix->form->Part("scores").value.row(i)[k] - score), 32 * kEpsilon);
          for (Index j = 0; j < 6; ++j) rebuilt[j] += score * m.basis->vectors.row(k)[j];
        }
        for (Index j = 0; j < 6; ++j) EXPECT_LE(std::abs(weight.value.row(i)[j] - rebuilt[j]), 32 * kEpsilon);
      }
    }
  }
}

// The weight as the form makes it on a tape.
Tensor Made(const Decomposed& m, Tape& tape) { return dynamic_cast<nn::MadeForm&>(*m.matrix->form).Make(tape).value; }

TEST(Amplitude, ExactStartsAsTheMatrixItself) {
  for (const Layout stored : kLayouts) {
    for (const Layout rows : kLayouts) {
      Decomposed m(stored, rows, 2);
      UseAmplitude({m.source}, m.basis, Start::kExact);
      for (const Real s : m.matrix->form->Part("scores").value) EXPECT_EQ(s, 0);
      Tape tape;
      EXPECT_TRUE(SameBits(Made(m, tape), m.rows));
      EXPECT_TRUE(SameBits(m.matrix->form->Merged().Widened(), m.stored));
    }
  }
}

// A matrix in any stored type and the same numbers as a dense one, both put into amplitude form.
struct StoredTwins {
  StoredTwins(StoredType type, Layout stored_layout, Layout rows_layout, nn::Chain chain, Start start) {
    const Shape shape = stored_layout == rows_layout ? Shape{512, 256} : Shape{256, 512};
    weight = HasBlocks(type) ? RandomBlocks(type, shape, 8) : Rounded(Normal(shape, 8), type);
    dense = MakeMatrix("a.weight", stored_layout, weight.Widened().Clone());
    stored = MakeMatrix("a.weight", stored_layout, weight.Widened());
    stored->form = std::make_unique<nn::Frozen>(weight, stored_layout);
    const RowSource of_dense{dense.get(), rows_layout, 512, 1}, of_stored{stored.get(), rows_layout, 512, 1};
    const auto basis = std::make_shared<const Basis>(ComputeBasis({of_dense}, 4));
    UseAmplitude({of_dense}, basis, start, chain);
    const Index before = Tensor::LiveBytes();
    UseAmplitude({of_stored}, basis, start, chain);
    taken = Tensor::LiveBytes() - before;
    for (nn::Matrix* matrix : {dense.get(), stored.get()}) {
      Tensor& scores = matrix->form->Part("scores").value;
      std::ranges::copy(Normal(scores.shape(), 9), scores.begin());
    }
  }

  StoredTensor weight{Tensor()};
  std::unique_ptr<nn::Matrix> dense, stored;
  Index taken = 0;  // bytes of tensors that the stored one's form took
};

// Beside W₀ there are the scores and B' = (B; μ), which the forms share: no copy of W₀.
TEST(Amplitude, ExactKeepsTheWeightAsStored) {
  const std::vector<StoredType> types = {StoredType::kF16, StoredType::kBf16, StoredType::kQ8_0, StoredType::kQ4K,
                                         StoredType::kNf4};
  for (const StoredType type : types) {
    for (const Layout layout : kLayouts) {
      for (const Layout rows : kLayouts) {
        SCOPED_TRACE(ToString(type));
        const StoredTwins twins(type, layout, rows, nn::Chain::kExplicit, Start::kExact);
        constexpr Index kScores = 512 * 4 * sizeof(Real), kExtended = 5 * 256 * sizeof(Real);
        EXPECT_EQ(twins.taken, kScores + kExtended);
        EXPECT_EQ(twins.stored->form->MappedBytes(), twins.weight.MappedBytes());
        EXPECT_EQ(twins.dense->form->MappedBytes(), 0);
        EXPECT_TRUE(SameBits(twins.stored->form->Merged().Widened(), twins.dense->form->Merged().Widened()));
        EXPECT_FALSE(SameBits(twins.stored->form->Merged().Widened(), twins.weight.Widened()));
      }
    }
  }
}

// ‖a − b‖/‖b‖
double Distance(const Tensor& a, const Tensor& b) {
  Tensor difference = a.Clone();
  for (Index i = 0; i < a.size(); ++i) difference[i] -= b[i];
  return std::sqrt(kernels::SumSquares(difference.data(), a.size()) / kernels::SumSquares(b.data(), b.size()));
}

// Outputs and gradients, by both chains, from both starts: the same bits, but where W₀ stays as it lies and W is not
// made, so that other sums are rounded. Scores of 0 would hide the update.
TEST(Amplitude, OfAStoredWeightTrainsAsOfItsNumbers) {
  for (const StoredType type : {StoredType::kBf16, StoredType::kQ6K}) {
    for (const Layout rows : kLayouts) {
      for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
        for (const Start start : {Start::kExact, Start::kReconstructed}) {
          const StoredTwins twins(type, Layout::kOutIn, rows, chain, start);
          const Index in = twins.stored->in;
          const auto run = [&](nn::Matrix& matrix, Param& x) {
            Tape tape;
            const Var y = matrix.Apply(tape.Leaf(x));
            tape.Backward(Probe(y, Normal(y.shape(), 10)));
            return y.value;
          };
          Param x = Trainable({Normal({3, in}, 11)})[0], x_too = x;
          Param &scores = twins.stored->form->Part("scores"), &scores_too = twins.dense->form->Part("scores");
          scores.value = scores_too.value = Normal(scores.value.shape(), 12);
          const bool made = chain == nn::Chain::kExplicit || start == Start::kReconstructed;
          const auto expect_same = [&](const Tensor& found, const Tensor& expected) {
            EXPECT_LE(Distance(found, expected), 40 * std::numeric_limits<Real>::epsilon());
            EXPECT_TRUE(!made || SameBits(found, expected));
          };
          const Tensor y = run(*twins.stored, x), y_too = run(*twins.dense, x_too);
          expect_same(y, y_too);
          expect_same(x.grad, x_too.grad);
          expect_same(scores.grad, scores_too.grad);
        }
      }
    }
  }
}

TEST(Amplitude, MergedIsTheWeightInItsStoredLayout) {
  for (const Start start : {Start::kReconstructed, Start::kExact}) {
    for (const Layout stored : kLayouts) {
      for (const Layout rows : kLayouts) {
        Decomposed m(stored, rows, 3);
        UseAmplitude({m.source}, m.basis, start);
        for (Real& s : m.matrix->form->Part("scores").value) s += 1;  // as if trained
        Tape tape;
        const Tensor used = Made(m, tape), merged = m.matrix->form->Merged().Widened();
        EXPECT_EQ(merged.shape(), m.stored.shape());
        EXPECT_TRUE(SameBits(stored == rows ? used : kernels::Transposed(used), merged));
        EXPECT_FALSE(SameBits(merged, m.stored));
        // Its rows are the weight that was used.
        EXPECT_TRUE(SameBits(ReadRows(m.source), used));
      }
    }
  }
}

TEST(Amplitude, NamesItsScoresAfterTheMatrix) {
  Decomposed m(Layout::kInOut, Layout::kOutIn, 4);
  UseAmplitude({m.source}, m.basis, Start::kExact);
  ASSERT_EQ(m.matrix->form->Parts().size(), 1u);
  const Param& scores = m.matrix->form->Part("scores");
  EXPECT_EQ(scores.name, "scores.a.weight");
  EXPECT_EQ(scores.value.shape(), Shape({9, 4}));
  EXPECT_TRUE(scores.trainable);
  ExpectMessage<std::invalid_argument>([&] { m.matrix->form->Part("A"); },
                                       "[form] expected the parameter scores, found 'A'");
}

TEST(Amplitude, StartWords) {
  for (const Start start : {Start::kReconstructed, Start::kExact}) EXPECT_EQ(ParseStart(ToString(start)), start);
  EXPECT_EQ(ParseStart("exact"), Start::kExact);
  for (const std::string word : {"", "Exact", "lossy"}) {
    ExpectMessage<std::invalid_argument>([&] { ParseStart(word); },
                                         "[start] expected reconstructed or exact, found '" + word + "'");
  }
}

}  // namespace
}  // namespace ampgrad::ct
