#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"
#include "tensor/thread_pool.h"
#include "tests/support/small_models.h"
#include "train/demo/sweep.h"

/// Checkpointed blocks keep only their input: the same bits with less memory.
namespace ampgrad {
namespace {

Param MakeParam(const std::string& name, uint64_t stream, bool trainable = true) {
  return {name, Random(5, stream).NormalTensor({3, 4}, 1), {}, trainable};
}

// y = gelu(a ⊙ x) ⊙ x + x reaches x in three ways.
Var F(const Var& x, Param& a) { return ops::Add(ops::Mul(ops::Gelu(ops::Mul(x.tape->Leaf(a), x)), x), x); }

struct Gradients {
  Tensor x, a;
};

Gradients GradientsOf(bool checkpoint, bool x_trains, bool a_trains) {
  Param x = MakeParam("x", 0, x_trains), a = MakeParam("a", 1, a_trains);
  Tape tape;
  const auto f = [&](const Var& in) { return F(in, a); };
  const Var v = tape.Leaf(x);
  const Var y = ops::Mul(checkpoint ? Checkpoint(v, f) : f(v), tape.Constant(Random(5, 2).NormalTensor({3, 4}, 1)));
  tape.Backward(y, Random(5, 3).NormalTensor({3, 4}, 1));
  return {x.grad, a.grad};
}

bool SameGradient(const Tensor& a, const Tensor& b) { return a.empty() ? b.empty() : !b.empty() && SameBits(a, b); }

TEST(Checkpoint, GradientsHaveTheBitsOfTheFunction) {
  for (const bool x_trains : {true, false}) {
    for (const bool a_trains : {true, false}) {
      if (!x_trains && !a_trains) continue;
      const Gradients plain = GradientsOf(false, x_trains, a_trains), kept = GradientsOf(true, x_trains, a_trains);
      EXPECT_EQ(plain.x.empty(), !x_trains);
      EXPECT_EQ(plain.a.empty(), !a_trains);
      EXPECT_TRUE(SameGradient(kept.x, plain.x)) << x_trains << a_trains;
      EXPECT_TRUE(SameGradient(kept.a, plain.a)) << x_trains << a_trains;
    }
  }
}

// x is also read outside the checkpoint, so the parts of dx are summed in another order. Two checkpoints read a.
TEST(Checkpoint, AddsToGradientsThatAreThere) {
  const auto gradients = [](bool checkpoint) {
    Param x = MakeParam("x", 0), a = MakeParam("a", 1);
    for (int pass = 0; pass < 2; ++pass) {
      Tape tape;
      const auto f = [&](const Var& in) { return F(in, a); };
      const auto block = [&](const Var& in) { return checkpoint ? Checkpoint(in, f) : f(in); };
      const Var v = tape.Leaf(x);
      tape.Backward(ops::Add(block(block(v)), v), Random(5, 3).NormalTensor({3, 4}, 1));
    }
    return Gradients{x.grad, a.grad};
  };
  const Gradients plain = gradients(false), kept = gradients(true);
  EXPECT_TRUE(SameBits(kept.a, plain.a));
  for (Index i = 0; i < plain.x.size(); ++i) {
    EXPECT_NEAR(kept.x[i], plain.x[i], 64 * std::numeric_limits<Real>::epsilon() * (1 + std::abs(plain.x[i]))) << i;
  }
}

TEST(Checkpoint, MayStandWithinAnother) {
  Param x = MakeParam("x", 0), a = MakeParam("a", 1);
  const auto f = [&](const Var& in) { return F(in, a); };
  Tape tape;
  tape.Backward(Checkpoint(tape.Leaf(x), [&](const Var& in) { return Checkpoint(f(in), f); }),
                Random(5, 3).NormalTensor({3, 4}, 1));
  Param x2 = MakeParam("x", 0), a2 = MakeParam("a", 1);
  const auto g = [&](const Var& in) { return F(in, a2); };
  Tape plain;
  plain.Backward(g(g(plain.Leaf(x2))), Random(5, 3).NormalTensor({3, 4}, 1));
  EXPECT_TRUE(SameBits(x.grad, x2.grad));
  EXPECT_TRUE(SameBits(a.grad, a2.grad));
}

TEST(Checkpoint, PassesItsInputThrough) {
  Param x = MakeParam("x", 0);
  const Tensor dy = Random(5, 3).NormalTensor({3, 4}, 1);
  Tape tape;
  tape.Backward(Checkpoint(tape.Leaf(x), [](const Var& in) { return in; }), dy);
  EXPECT_TRUE(SameBits(x.grad, dy));
  x.grad.Fill(0);
  EXPECT_NE(dy[0], 0);  // the gradient is a copy
}

TEST(Checkpoint, RecordsNothingWhereNothingTrains) {
  Param x = MakeParam("x", 0, false), a = MakeParam("a", 1, false);
  Tape tape;
  int calls = 0;
  const Var y = Checkpoint(tape.Leaf(x), [&](const Var& in) { return ++calls, F(in, a); });
  EXPECT_FALSE(y.needs_grad());
  EXPECT_EQ(tape.size(), 0);
  EXPECT_EQ(calls, 1);
}

TEST(Checkpoint, IsTheFunctionInInference) {
  Param x = MakeParam("x", 0), a = MakeParam("a", 1);
  Tape tape(Tape::Mode::kInference);
  const Var y = Checkpoint(tape.Leaf(x), [&](const Var& in) {
    EXPECT_EQ(in.tape, &tape);
    return F(in, a);
  });
  Tape plain;
  EXPECT_TRUE(SameBits(y.value, F(plain.Leaf(x), a).value));
  EXPECT_EQ(tape.size(), 0);
}

TEST(Checkpoint, RunsTheFunctionOnceMoreOnTheWayBack) {
  Param x = MakeParam("x", 0), a = MakeParam("a", 1);
  Tape tape;
  int calls = 0;
  const Var y = Checkpoint(tape.Leaf(x), [&](const Var& in) { return ++calls, F(in, a); });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(tape.size(), 3);  // x, the anchor, and one node for all of f
  tape.Backward(y, Tensor({3, 4}));
  EXPECT_EQ(calls, 2);
}

// ---- Models

std::map<std::string, Tensor> GradientsOf(models::LanguageModel& model, bool checkpoint) {
  model.checkpoint_blocks = checkpoint;
  for (Param* param : models::Parameters(model)) param->grad = Tensor();
  Tape tape;
  tape.Backward(MeanCrossEntropy(model.Logits(tape, RandomIds(24, 23, 1), 12), RandomIds(24, 23, 2)));
  model.checkpoint_blocks = false;
  std::map<std::string, Tensor> gradients;
  for (const Param* param : models::Parameters(model)) gradients[param->name] = param->grad;
  return gradients;
}

std::vector<train::MethodSettings> CheckpointedMethods() {
  std::vector<train::MethodSettings> methods;
  for (const train::Scope& scope :
       {train::Scope{}, train::Scope{false, 1, 1, true}, train::Scope{false, 0, 0, false}}) {
    methods.push_back({.method = "full", .scope = scope});
    for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
      for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
        methods.push_back({.method = "amplitude", .scope = scope, .k = 3, .start = start, .chain = chain});
      }
    }
  }
  return methods;
}

void PrepareFor(models::LanguageModel& model, const train::MethodSettings& method) {
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
  const auto basis = method.NeedsBasis() ? std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, 3)) : nullptr;
  train::Prepare(model, method, basis);
}

TEST(CheckpointBlocks, GradientsHaveTheBitsOfAPassThatKeepsAll) {
  for (const bool half : {false, true}) {
    for (const auto& base : BothFamilies(3, true)) {
      if (half) HoldAtHalfWidth(*base);
      for (const train::MethodSettings& method : CheckpointedMethods()) {
        SCOPED_TRACE(base->Config().at("model_type").dump() + " " + method.Label() + " " + nn::ToString(method.chain) +
                     (method.scope.all_layers ? " all" : " layer " + std::to_string(method.scope.first)));
        const auto model = base->Clone();
        PrepareFor(*model, method);
        const auto plain = GradientsOf(*model, false), kept = GradientsOf(*model, true);
        size_t trained = 0;
        for (const auto& [name, gradient] : plain) {
          EXPECT_TRUE(SameGradient(kept.at(name), gradient)) << name;
          trained += !gradient.empty();
        }
        EXPECT_EQ(trained, models::TrainableParameters(*model).size());
      }
    }
  }
}

TEST(CheckpointBlocks, LogitsAreTheSameInInference) {
  for (const auto& model : BothFamilies(3, false)) {
    const std::vector<int> ids = RandomIds(24, 23, 1);
    const Tensor plain = LogitsOf(*model, ids, 12);
    model->checkpoint_blocks = true;
    EXPECT_TRUE(SameBits(LogitsOf(*model, ids, 12), plain));
  }
}

TEST(CheckpointBlocks, KeepLessAfterTheForwardPass) {
  SetNumThreads(1);
  const std::vector<int> ids = RandomIds(24, 23, 1);
  for (const auto& model : BothFamilies(3, false)) {
    const auto kept = [&](bool checkpoint) {
      model->checkpoint_blocks = checkpoint;
      return KeptBytes(*model, ids, 12);
    };
    for (const bool amplitude : {false, true}) {
      PrepareFor(*model, {.method = amplitude ? "amplitude" : "full", .k = 3, .chain = nn::Chain::kFactored});
      const Index all = kept(false), less = kept(true);
      EXPECT_LT(less, all / 2) << model->Config().at("model_type") << (amplitude ? " amplitude" : " full");
      EXPECT_GT(less, 2 * 24 * 16 * static_cast<Index>(sizeof(Real)));  // the inputs of two blocks
    }
  }
  SetNumThreads(0);
}

TEST(CheckpointBlocks, FrozenLayersBelowRecordNothing) {
  for (const auto& model : BothFamilies(3, false)) {
    PrepareFor(*model, {.scope = {false, 1, 1, false}});
    model->checkpoint_blocks = true;
    Tape tape;
    model->Logits(tape, RandomIds(12, 23, 1), 12);
    int blocks = 0;
    for (int node = 0; node < tape.size(); ++node) blocks += tape.op(node) == std::string("checkpoint");
    EXPECT_EQ(blocks, 1);
    EXPECT_EQ(tape.op(0), std::string("param"));  // the anchor: x itself needs no gradient
    EXPECT_EQ(tape.op(1), std::string("checkpoint"));
    EXPECT_EQ(tape.inputs(1), (std::vector<int>{-1, 0}));
  }
}

}  // namespace
}  // namespace ampgrad
