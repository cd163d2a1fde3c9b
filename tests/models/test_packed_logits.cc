#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// Sequences of unequal length side by side: a model sees each of them as if it were alone.
namespace ampgrad::models {
namespace {

const std::vector<Index> kBorders = {0, 5, 6, 18, 22, 29};

ops::Borders SharedBorders(const std::vector<Index>& borders) {
  return std::make_shared<const std::vector<Index>>(borders);
}

std::vector<int> Part(const std::vector<int>& ids, size_t s) {
  return {ids.begin() + kBorders[s - 1], ids.begin() + kBorders[s]};
}

// ‖a − b‖ / ‖b‖
double Apart(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a.at(i) - b[i]) * (a.at(i) - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

// All gradients, one behind the other; they are then let go.
std::vector<double> TakeGradients(LanguageModel& model) {
  std::vector<double> all;
  for (Param* param : Parameters(model)) {
    all.insert(all.end(), param->grad.begin(), param->grad.end());
    param->grad = Tensor();
  }
  return all;
}

class PackedLogits : public ::testing::TestWithParam<bool> {
 protected:
  // Sums of a few dozen terms, in another order than the products of single sequences take them.
  static constexpr double kBound = sizeof(Real) == 8 ? 1e-13 : 1e-5;
};

// The loss of all sequences, and every gradient of it, is the sum of those of single sequences.
TEST_P(PackedLogits, LossAndGradientsAreThoseOfSingleSequences) {
  for (const auto& model : BothFamilies(3, /*tied=*/false)) {
    model->checkpoint_blocks = GetParam();
    const std::vector<int> ids = RandomIds(29, 23, 1);
    std::vector<int> targets = RandomIds(29, 23, 2);
    targets[3] = targets[28] = ops::kIgnored;
    double expected = 0;
    for (size_t s = 1; s < kBorders.size(); ++s) {
      Tape tape;
      const std::vector<int> part = Part(ids, s);
      const Var loss =
          ops::CrossEntropy(model->Logits(tape, part, static_cast<Index>(part.size())), Part(targets, s), 27);
      expected += loss.value[0];
      tape.Backward(loss);
    }
    const std::vector<double> gradients = TakeGradients(*model);
    Tape tape;
    const Var loss = ops::CrossEntropy(model->Logits(tape, ids, 12, SharedBorders(kBorders)), targets, 27);
    EXPECT_TRUE(std::abs(loss.value[0] - expected) <= kBound * expected) << loss.value[0] << " " << expected;
    tape.Backward(loss);
    const double error = Apart(TakeGradients(*model), gradients);
    EXPECT_TRUE(error <= kBound) << error;
  }
}

// Another first sequence changes no bit of the others.
TEST_P(PackedLogits, NothingIsSeenAcrossABorder) {
  for (const auto& model : BothFamilies(3, /*tied=*/true)) {
    model->checkpoint_blocks = GetParam();
    std::vector<int> ids = RandomIds(29, 23, 1);
    const auto logits = [&] {
      Tape tape(Tape::Mode::kInference);
      return model->Logits(tape, ids, 12, SharedBorders(kBorders)).value;
    };
    const Tensor before = logits();
    for (Index n = 6; n < 18; ++n) ids[n] = (ids[n] + 1) % 23;
    const Tensor after = logits();
    EXPECT_TRUE(SameBits(before.Rows(0, 6), after.Rows(0, 6)));
    EXPECT_FALSE(SameBits(before.Rows(6, 18), after.Rows(6, 18)));
    EXPECT_TRUE(SameBits(before.Rows(18, 29), after.Rows(18, 29)));
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutCheckpoints, PackedLogits, ::testing::Bool());

TEST(PackedLogits, RefusesBordersThatDoNotFit) {
  const auto model = TinyGpt(1);
  const std::vector<int> ids = RandomIds(10, 23, 1);
  const auto message = [&](const std::vector<Index>& borders, const std::string& found) {
    ExpectMessage<std::invalid_argument>(
        [&] {
          Tape tape(Tape::Mode::kInference);
          model->Logits(tape, ids, 6, SharedBorders(borders));
        },
        found);
  };
  const std::string expected = "[logits] expected borders that rise from 0 to 10 by 1 to 6, found ";
  message({0, 7, 10}, expected + "0 before 7");  // longer than the length
  message({0, 5, 5, 10}, expected + "5 before 5");
  message({0, 6, 4, 10}, expected + "6 before 4");
  message({0, 6, 11}, expected + "6 before 11");
  message({-1, 5, 10}, expected + "-1 before 5");
  const std::string op = "[causal_self_attention] expected borders that rise from 0 to the 10 rows, found ";
  message({0, 5}, op + "2 that do not");
  message({1, 5, 10}, op + "3 that do not");
  message({}, op + "0 that do not");
}

}  // namespace
}  // namespace ampgrad::models
