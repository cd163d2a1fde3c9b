#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "train/analysis/trace.h"

namespace ampgrad::train {
namespace {

Batch TinyBatch() { return {6, RandomIds(12, 23, 1), RandomIds(12, 23, 2)}; }

TraceOptions Options(const std::string& weight, ct::Start start) {
  TraceOptions options;
  options.weight = weight;
  options.row = 3;
  options.component = 1;
  options.k = 4;
  options.start = start;
  return options;
}

// dS_rc as the tape left it, and as the row of dW times the row of B.
TEST(Trace, TheDotProductIsTheGradient) {
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    for (const char* weight : {"h.0.attn.c_attn.weight", "h.1.mlp.c_proj.weight"}) {
      const auto model = TinyGpt(3);
      const ScoreTrace trace = TraceScore(*model, TinyBatch(), Options(weight, start));
      const double rounding = sizeof(Real) == 4 ? 1e-5 : 1e-13;
      EXPECT_NEAR(trace.dot / trace.gradient, 1, rounding);
      EXPECT_EQ(trace.path.front().op, "cross_entropy");
      EXPECT_EQ(trace.path.back().op, "reconstruct");
      EXPECT_EQ(trace.dw_row.size(), 16u);
      for (const TraceStep& step : trace.path) EXPECT_GT(step.gradient_norm, 0);
    }
  }
}

// A third way to the same number, without any backward pass.
TEST(Trace, TheDifferenceOfLossesIsTheGradient) {
  if (sizeof(Real) == 4)
    GTEST_SKIP() << "the rounding of a float loss, over a step of 1e-3, is as large as the gradient";
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    const auto model = TinyGpt(3);
    const ScoreTrace trace = TraceScore(*model, TinyBatch(), Options("h.1.mlp.c_proj.weight", start));
    EXPECT_LE(std::abs(trace.difference / trace.gradient - 1), 1e-8);
  }
}

// AdamW's first step is lr·sign(dS), apart from ε.
TEST(Trace, ShowsTheStepOfAdamW) {
  const auto model = TinyGpt(3);
  const ScoreTrace trace = TraceScore(*model, TinyBatch(), Options("h.0.mlp.c_fc.weight", ct::Start::kExact));
  EXPECT_EQ(trace.score, 0);
  EXPECT_NEAR(trace.next_score, trace.gradient > 0 ? -0.01 : 0.01, 1e-5);
  EXPECT_NEAR(trace.moment1, 0.1 * trace.gradient, 1e-9);
}

TEST(Trace, NamesWhatThereIs) {
  const auto model = TinyGpt(3);
  TraceOptions options = Options("wte.weight", ct::Start::kExact);
  try {
    TraceScore(*model, TinyBatch(), options);
    ADD_FAILURE() << "the vocabulary is not decomposed";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(
        error.what(),
        "expected the name of one of 8 decomposed matrices, found wte.weight; the nearest is h.0.mlp.c_fc.weight");
  }
  const Batch batch = TinyBatch();
  const double own = TraceScore(*TinyGpt(3), batch, Options("h.1.mlp.c_proj.weight", ct::Start::kExact)).gradient;
  const auto in_file = Options("transformer.h.1.mlp.c_proj.weight", ct::Start::kExact);
  EXPECT_EQ(TraceScore(*TinyGpt(3), batch, in_file).gradient, own);
  options = Options("h.0.attn.c_attn.weight", ct::Start::kExact);
  options.row = 48;
  ExpectMessage<std::runtime_error>([&] { TraceScore(*model, TinyBatch(), options); },
                                    "expected the row in 0..47, found 48");
}

// The line that is shown for an op must be the line that records it.
TEST(Trace, NamesTheLineOfEachOp) {
  for (const auto& model : BothFamilies(3, true)) {
    const std::string weight =
        FindMatrix(*model, "h.0.mlp.c_fc.weight") ? "h.0.mlp.c_fc.weight" : "layers.0.mlp.up_proj.weight";
    for (const TraceStep& step : TraceScore(*model, TinyBatch(), Options(weight, ct::Start::kExact)).path) {
      const size_t colon = step.source.find(':');
      std::ifstream file(std::string(AMPGRAD_SOURCE_DIR) + "/" + step.source.substr(0, colon));
      std::string line;
      for (int i = std::stoi(step.source.substr(colon + 1)); i > 0; --i) std::getline(file, line);
      EXPECT_NE(line.find("Record(\"" + step.op + "\""), std::string::npos) << step.source << ": " << line;
    }
  }
}

TEST(Trace, FitsOneScreen) {
  const auto model = TinyGpt(3);
  const TraceOptions options = Options("h.0.attn.c_attn.weight", ct::Start::kExact);
  const std::string text = FormatTrace(TraceScore(*model, TinyBatch(), options), options);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40);
  for (const char* part : {"cross_entropy", "reconstruct", "dW[3, :]", "B[1, :]", "central difference", "AdamW"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace ampgrad::train
