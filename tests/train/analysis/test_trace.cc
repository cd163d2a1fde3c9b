#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "tensor/random.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "train/analysis/trace.h"

namespace ampgrad::train {
namespace {

Batch TinyBatch() { return {6, RandomIds(12, 23, 1), RandomIds(12, 23, 2)}; }

TraceOptions At(const std::string& weight, const std::string& part = "") {
  return {.weight = weight, .part = part, .row = 3, .column = 1};
}

std::unique_ptr<models::LanguageModel> PreparedFor(std::unique_ptr<models::LanguageModel> model,
                                                   const MethodSettings& settings) {
  Prepare(*model, settings, MakeBases(*model, settings, {}, {}));
  return model;
}

std::unique_ptr<models::LanguageModel> WithScores(ct::Start start = ct::Start::kExact) {
  return PreparedFor(TinyGpt(3), {.method = "amplitude", .k = 4, .start = start});
}

// dS_rc as the tape left it, and as the row of dW times the row of B.
TEST(Trace, TheDotProductIsTheGradient) {
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    for (const char* weight : {"h.0.attn.c_attn.weight", "h.1.mlp.c_proj.weight"}) {
      const auto plain = TinyGpt(3);
      const auto basis =
          ct::ComputeBasis(ct::SelectRows(plain->Parts().matrices, plain->width(), ct::RowsPolicy::kBlocks), 4);
      const auto model = WithScores(start);
      const Trace trace = FollowNumber(*model, TinyBatch(), At(weight));
      const double rounding = sizeof(Real) == 4 ? 1e-5 : 1e-13;
      EXPECT_EQ(trace.part, "scores");
      EXPECT_EQ(trace.row, 3);
      double dot = 0;
      for (int j = 0; j < 16; ++j) {
        EXPECT_NEAR(trace.change_row[j], basis.vectors.row(1)[j], rounding);
        dot += trace.dw_row[j] * basis.vectors.row(1)[j];
      }
      EXPECT_NEAR(dot / trace.gradient, 1, rounding);
      EXPECT_NEAR(trace.dot / trace.gradient, 1, rounding);
      EXPECT_EQ(trace.path.front().op, "cross_entropy");
      EXPECT_EQ(trace.path.back().op, "reconstruct");
      EXPECT_EQ(trace.to_w, trace.path.size());
      EXPECT_EQ(trace.dw_row.size(), 16u);
      for (const TraceStep& step : trace.path) EXPECT_GT(step.gradient_norm, 0);
    }
  }
}

// Every part of every form, three ways: backward, through dW, and without any backward pass.
TEST(Trace, FollowsEveryPartOfEveryForm) {
  const std::map<std::string, std::vector<const char*>> parts = {
      {"full", {"weight"}}, {"amplitude", {"scores"}}, {"lora", {"A", "B"}},
      {"lora-fa", {"B"}},   {"pissa", {"A", "B"}},     {"dora", {"A", "B", "m"}},
      {"core", {"R"}},      {"vera", {"b", "d"}},      {"sparse", {"values"}},
  };
  for (const auto& [method, roles] : parts) {
    for (const char* role : roles) {
      SCOPED_TRACE(method + " " + role);
      const auto model = PreparedFor(TinyGpt(3), {.method = method, .k = 4, .rank = 4, .share = 0.1});
      // Away from zero, where no gradient vanishes for want of the other factor.
      uint64_t seed = 5;
      for (Param* param : models::TrainableParameters(*model)) {
        const Tensor moved = Random(seed++, 0).NormalTensor(param->value.shape(), 0.1);
        for (Index i = 0; i < moved.size(); ++i) param->value[i] += moved[i];
      }
      TraceOptions at = At("h.1.mlp.c_fc.weight", role);
      const std::string name = role;
      if (name == "m" || name == "b" || name == "d" || name == "values") at.column = 0;
      const Trace trace = FollowNumber(*model, TinyBatch(), at);
      EXPECT_NE(trace.gradient, 0);
      EXPECT_NEAR(trace.dot / trace.gradient, 1, sizeof(Real) == 4 ? 1e-3 : 1e-11);
      if (sizeof(Real) == 8) {
        EXPECT_NEAR(trace.difference / trace.gradient, 1, 1e-6);
      }
    }
  }
}

// A third way to the same number, without any backward pass.
TEST(Trace, TheDifferenceOfLossesIsTheGradient) {
  if (sizeof(Real) == 4)
    GTEST_SKIP() << "the rounding of a float loss, over a step of 1e-3, is as large as the gradient";
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    const Trace trace = FollowNumber(*WithScores(start), TinyBatch(), At("h.1.mlp.c_proj.weight"));
    EXPECT_LE(std::abs(trace.difference / trace.gradient - 1), 1e-8);
  }
}

// AdamW's first step is lr·sign(dS), apart from ε.
TEST(Trace, ShowsTheStepOfAdamW) {
  const Trace trace = FollowNumber(*WithScores(), TinyBatch(), At("h.0.mlp.c_fc.weight"));
  EXPECT_EQ(trace.value, 0);
  EXPECT_NEAR(trace.next_value, trace.gradient > 0 ? -0.01 : 0.01, 1e-5);
  EXPECT_NEAR(trace.moment1, 0.1 * trace.gradient, 1e-9);
}

TEST(Trace, NamesWhatThereIs) {
  const auto refuses = [](const TraceOptions& at, const char* message) {
    ExpectMessage<std::runtime_error>([&] { FollowNumber(*WithScores(), TinyBatch(), at); }, message);
  };
  refuses(At("wte.weight"),
          "expected the name of one of 8 matrices that train, found wte.weight; the nearest is h.0.mlp.c_fc.weight");
  refuses(At("h.0.attn.c_attn.weight", "A"),
          "expected a part of h.0.attn.c_attn.weight that trains, of scores, found A");
  TraceOptions at = At("h.0.attn.c_attn.weight");
  at.row = 48;
  refuses(at, "expected the row in 0..47, found 48");
  at = At("h.0.attn.c_attn.weight");
  at.column = 4;
  refuses(at, "expected the column in 0..3, found 4");
  ExpectMessage<std::runtime_error>(
      [&] { FollowNumber(*PreparedFor(TinyGpt(3), {.method = "norms"}), TinyBatch(), At("wte.weight")); },
      "expected a method that trains matrices, found none that trains");

  const double own = FollowNumber(*WithScores(), TinyBatch(), At("h.1.mlp.c_proj.weight")).gradient;
  const double in_file = FollowNumber(*WithScores(), TinyBatch(), At("transformer.h.1.mlp.c_proj.weight")).gradient;
  EXPECT_EQ(in_file, own);
}

// The line that is shown for an op must be the line that records it.
TEST(Trace, NamesTheLineOfEachOp) {
  for (auto& plain : BothFamilies(3, true)) {
    const std::string weight =
        FindMatrix(*plain, "h.0.mlp.c_fc.weight") ? "h.0.mlp.c_fc.weight" : "layers.0.mlp.up_proj.weight";
    const auto model = PreparedFor(std::move(plain), {.method = "amplitude", .k = 4});
    for (const TraceStep& step : FollowNumber(*model, TinyBatch(), At(weight)).path) {
      const size_t colon = step.source.find(':');
      std::ifstream file(std::string(AMPGRAD_SOURCE_DIR) + "/" + step.source.substr(0, colon));
      std::string line;
      for (int i = std::stoi(step.source.substr(colon + 1)); i > 0; --i) std::getline(file, line);
      EXPECT_NE(line.find("Record(\"" + step.op + "\""), std::string::npos) << step.source << ": " << line;
    }
  }
}

TEST(Trace, FitsOneScreen) {
  const TraceOptions at = At("h.0.attn.c_attn.weight");
  const std::string text = FormatTrace(FollowNumber(*WithScores(), TinyBatch(), at), at, "exact K=4");
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40);
  for (const char* part : {"scores[3, 1] of h.0.attn.c_attn.weight, exact K=4", "cross_entropy", "reconstruct",
                           "dW[3, :]", "∂W/∂θ[3, :]", "central difference", "AdamW"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace ampgrad::train
