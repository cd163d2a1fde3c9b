#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/op_testing.h"

namespace ampgrad {
namespace {

// ---- CrossEntropy

void CheckCrossEntropy(Index vocab, const std::vector<int>& targets) {
  const Index rows = static_cast<Index>(targets.size());
  SCOPED_TRACE(Sizes({rows, vocab}));
  ExpectGradMatches(
      "cross_entropy", [&](Tape&, const Vars& v) { return MeanCrossEntropy(v[0], targets); },
      [&](const ComplexInputs& x) { return reference::CrossEntropy(x[0], targets, rows, vocab); },
      {{"logits", Normal({rows, vocab}, 0)}}, kSeed);
}

TEST(CrossEntropy, GradMatchesComplexStep) {
  CheckCrossEntropy(1, {0});
  for (const Index vocab : {2, 3, 17, 33}) {
    const int last = static_cast<int>(vocab) - 1;
    CheckCrossEntropy(vocab, {0});
    CheckCrossEntropy(vocab, {last});
    CheckCrossEntropy(vocab, {1, last, 0, 1, 1});
    CheckCrossEntropy(vocab, {ops::kIgnored, 1, ops::kIgnored, last, 0, ops::kIgnored});
    CheckCrossEntropy(vocab, {ops::kIgnored, ops::kIgnored, 1});
  }
}

TEST(CrossEntropy, RejectsWrongShape) {
  Tape tape;
  const Var logits = tape.Constant(Tensor({2, 3}));
  ExpectRejects("cross_entropy", [&] { MeanCrossEntropy(logits, {0}); });
  ExpectRejects("cross_entropy", [&] { MeanCrossEntropy(logits, {0, 1, 2}); });
  ExpectRejects("cross_entropy", [&] { MeanCrossEntropy(logits, {}); });
}

TEST(CrossEntropy, RejectsTargetsOutsideTheVocabulary) {
  Tape tape;
  const Var logits = tape.Constant(Tensor({2, 3}));
  for (const int target : {3, -1, -99, -101, std::numeric_limits<int>::max()}) {
    ExpectRejects("cross_entropy", [&] { MeanCrossEntropy(logits, {0, target}); });
  }
}

// The count may include other rows, but it must not be below the number of targets in these.
TEST(CrossEntropy, DividesByTheCountItIsGiven) {
  Tape tape;
  const Tensor values = Normal({3, 5}, 1);
  const std::vector<int> targets = {1, ops::kIgnored, 4}, none(3, ops::kIgnored);
  const auto loss = [&](Index count) { return ops::CrossEntropy(tape.Constant(values), targets, count).value[0]; };
  EXPECT_EQ(loss(8), loss(2) / 4);
  EXPECT_EQ(ops::CrossEntropy(tape.Constant(values), none, 2).value[0], 0);
  ExpectRejects("cross_entropy", [&] { loss(1); });
  ExpectRejects("cross_entropy", [&] { loss(-3); });
}

TEST(CrossEntropy, RejectsAllIgnored) {
  Tape tape;
  const Var logits = tape.Constant(Tensor({2, 3}));
  try {
    MeanCrossEntropy(logits, {ops::kIgnored, ops::kIgnored});
    ADD_FAILURE() << "a mean over nothing was accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()).rfind("[cross_entropy]", 0), 0u) << error.what();
    EXPECT_NE(std::string(error.what()).find("no target"), std::string::npos) << error.what();
  }
}

TEST(CrossEntropy, HandlesLargeLogits) {
  for (const Index vocab : {3, 19, 33}) {
    for (const Real level : {Real(1e4), Real(-1e4), Real(0)}) {
      Tensor equal({2, vocab});
      equal.Fill(level);
      auto params = Trainable({equal});
      Tape tape;
      const Var loss = MeanCrossEntropy(tape.Leaf(params[0]), {0, static_cast<int>(vocab) - 1});
      tape.Backward(loss);
      const double expected = std::log(static_cast<double>(vocab));
      EXPECT_NEAR(loss.value[0], expected, 4 * kEpsilon * expected) << vocab << " at " << level;
      for (const Real g : params[0].grad) EXPECT_TRUE(std::isfinite(g));
    }
    // One logit is far above the rest: the loss is 0 if it is the target, and otherwise the difference
    // to the target.
    Tensor spread({2, vocab});
    spread.Fill(-1e4);
    spread.row(0)[1] = 1e4;
    spread.row(1)[1] = 1e4;
    auto params = Trainable({spread});
    Tape tape;
    const Var loss = MeanCrossEntropy(tape.Leaf(params[0]), {1, 0});
    tape.Backward(loss);
    EXPECT_EQ(loss.value[0], Real(1e4));  // the mean of 0 and 20000
    for (Index v = 0; v < vocab; ++v) {
      EXPECT_EQ(params[0].grad.row(0)[v], 0) << v;
      EXPECT_EQ(params[0].grad.row(1)[v], v == 1 ? Real(0.5) : v == 0 ? Real(-0.5) : Real(0)) << v;
    }
  }
}

TEST(CrossEntropy, PropagatesNaN) {
  constexpr Index kVocab = 19;
  for (Index v = 0; v < kVocab; ++v) {
    Tensor logits = Normal({2, kVocab}, 0);
    logits.row(1)[v] = kNaN;
    auto params = Trainable({logits});
    Tape tape;
    const Var loss = MeanCrossEntropy(tape.Leaf(params[0]), {4, 5});
    EXPECT_TRUE(std::isnan(loss.value[0])) << v;
    tape.Backward(loss);
    for (Index j = 0; j < kVocab; ++j) {
      EXPECT_TRUE(std::isfinite(params[0].grad.row(0)[j])) << v << ", " << j;
      EXPECT_TRUE(std::isnan(params[0].grad.row(1)[j])) << v << ", " << j;
    }
  }
}

// Σ_v softmax_v - 1 = 0 for a row that counts; exactly 0 for an ignored row, whatever its logits.
TEST(CrossEntropy, GradientRowsSumToZero) {
  constexpr Index kRows = 5, kVocab = 33;
  Tensor logits = Normal({kRows, kVocab}, 0, 3);
  logits.row(2)[7] = kNaN;
  auto params = Trainable({logits});
  Tape tape;
  const Var loss = MeanCrossEntropy(tape.Leaf(params[0]), {4, 0, ops::kIgnored, 32, 4});
  EXPECT_TRUE(std::isfinite(loss.value[0]));
  tape.Backward(loss);
  for (Index i = 0; i < kRows; ++i) {
    double sum = 0;
    for (Index v = 0; v < kVocab; ++v) {
      sum += params[0].grad.row(i)[v];
      if (i == 2) {
        EXPECT_EQ(params[0].grad.row(i)[v], 0) << v;
      }
    }
    EXPECT_NEAR(sum, 0, kBound * 0.25) << i;  // the elements are a softmax over four counted rows
  }
}

}  // namespace
}  // namespace ampgrad
