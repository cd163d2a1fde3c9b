#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/reference/numbers.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "tests/train/training.h"
#include "train/methods/method.h"

/// What holds for every method that adds an update to frozen weights, on both families of models.
namespace ampgrad::train {
namespace {

constexpr Index kLength = 6;

// Every method with parameters beside the weights, at rank 2.
std::vector<MethodSettings> UpdateMethods(nn::Chain chain) {
  std::vector<MethodSettings> all;
  for (const char* method : {"lora", "lora-fa", "pissa", "dora", "core", "vera", "sparse"}) {
    all.push_back({.method = method, .chain = chain, .rank = 2, .alpha = 3, .share = 0.05, .seed = 5});
  }
  for (const FactorSource source : {FactorSource::kOrthonormal, FactorSource::kTop, FactorSource::kMinor}) {
    all.push_back({.method = "lora-fa", .chain = chain, .rank = 2, .factors = source, .seed = 5});
  }
  all.push_back({.method = "pissa", .chain = chain, .rank = 2, .factors = FactorSource::kMinor, .seed = 5});
  all.push_back({.method = "core", .chain = chain, .rank = 2, .factors = FactorSource::kOrthonormal, .seed = 5});
  all.push_back({.method = "amplitude", .k = 2, .chain = chain, .basis = ct::BasisKind::kLeft, .seed = 5});
  return all;
}

double Apart(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() ? RelativeError(a, b) : 1; }

Batch SomeBatch(const models::LanguageModel& model) {
  return {kLength, RandomIds(2 * kLength, model.vocabulary(), 1), RandomIds(2 * kLength, model.vocabulary(), 2)};
}

std::map<std::string, Tensor> Gradients(models::LanguageModel& model, const Batch& batch) {
  Tape tape;
  tape.Backward(BatchLoss(model, tape, batch));
  std::map<std::string, Tensor> gradients;
  for (Param* param : models::TrainableParameters(model)) {
    gradients[param->name] = param->grad;
    param->grad = Tensor();
  }
  return gradients;
}

// The trained numbers away from where they start, so that no factor is zero.
void Disturb(models::LanguageModel& model) {
  uint64_t stream = 0;
  for (Param* param : models::TrainableParameters(model)) {
    const Tensor noise = Random(9, stream++).NormalTensor(param->value.shape(), 0.1);
    for (Index i = 0; i < noise.size(); ++i) param->value[i] += noise[i];
  }
}

void ForEachModel(const std::function<void(models::LanguageModel&)>& body) {
  for (const auto& model : BothFamilies(3, true)) {
    SCOPED_TRACE(model->Config().at("model_type").dump());
    body(*model);
  }
}

TEST(UpdateMethod, StartsAtTheModel) {
  ForEachModel([](models::LanguageModel& base) {
    const Batch batch = SomeBatch(base);
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
      for (const MethodSettings& method : UpdateMethods(chain)) {
        SCOPED_TRACE(method.Label() + " " + nn::ToString(chain));
        const auto model = base.Clone();
        Prepare(*model, method);
        const Tensor found = LogitsOf(*model, batch.inputs, kLength),
                     base_logits = LogitsOf(base, batch.inputs, kLength);
        // The update is a sum of zeros, but for DoRA, which divides by norms, and PiSSA, which takes away and adds.
        if (method.method == "dora" || method.method == "pissa") {
          EXPECT_LE(Apart(found, base_logits), 50 * kEpsilon);
        } else {
          EXPECT_TRUE(SameBits(found, base_logits));
        }
      }
    }
  });
}

TEST(UpdateMethod, RoutesAgree) {
  ForEachModel([](models::LanguageModel& base) {
    const Batch batch = SomeBatch(base);
    const auto factored = UpdateMethods(nn::Chain::kFactored), made = UpdateMethods(nn::Chain::kExplicit);
    for (size_t i = 0; i < made.size(); ++i) {
      SCOPED_TRACE(made[i].Label());
      const auto a = base.Clone(), b = base.Clone();
      Prepare(*a, made[i]);
      Prepare(*b, factored[i]);
      Disturb(*a);
      Disturb(*b);
      EXPECT_LE(Apart(LogitsOf(*b, batch.inputs, kLength), LogitsOf(*a, batch.inputs, kLength)), 50 * kEpsilon);
      const auto expected = Gradients(*a, batch), found = Gradients(*b, batch);
      ASSERT_EQ(found.size(), expected.size());
      // Two blocks of sums of at most 24 products, twice: a few hundred roundings.
      for (const auto& [name, gradient] : expected) EXPECT_LE(Apart(found.at(name), gradient), 500 * kEpsilon) << name;
    }
  });
}

TEST(UpdateMethod, MergedIsUnmerged) {
  ForEachModel([](models::LanguageModel& base) {
    const Batch batch = SomeBatch(base);
    for (const MethodSettings& method : UpdateMethods(nn::Chain::kFactored)) {
      SCOPED_TRACE(method.Label());
      const auto model = base.Clone(), merged = base.Clone();
      Prepare(*model, method);
      Disturb(*model);
      const nn::Parts from = model->Parts(), to = merged->Parts();
      for (size_t i = 0; i < from.matrices.size(); ++i) {
        const StoredTensor weight = from.matrices[i]->form->Merged();
        EXPECT_EQ(weight.shape(), from.matrices[i]->StoredShape());
        to.matrices[i]->form = std::make_unique<nn::Frozen>(weight, to.matrices[i]->layout);
      }
      EXPECT_LE(Apart(LogitsOf(*model, batch.inputs, kLength), LogitsOf(*merged, batch.inputs, kLength)),
                50 * kEpsilon);
    }
  });
}

TEST(UpdateMethod, TrainsWhatItSays) {
  // Matrices [out, in] of TinyGpt: 48·16, 16·16, 64·16 and 16·64 in each of two blocks.
  const Index sides = 2 * ((48 + 16) + (16 + 16) + (64 + 16) + (16 + 64)), outs = 2 * (48 + 16 + 64 + 16);
  const std::map<std::string, Index> expected = {{"lora", 2 * sides},
                                                 {"lora-fa", 2 * outs},
                                                 {"pissa", 2 * sides},
                                                 {"dora", 2 * sides + outs},
                                                 {"core", 8 * 4},
                                                 {"vera", outs + 8 * 2},
                                                 {"norms", 2 * (48 + 16 + 64 + 16 + 4 * 16) + 2 * 16},
                                                 {"sparse", 2 * (38 + 13 + 51 + 51)}};
  for (const auto& [method, count] : expected) {
    SCOPED_TRACE(method);
    const auto model = TinyGpt(3);
    const auto before = BytesOf(models::Parameters(*model));
    Prepare(*model, {.method = method, .rank = 2, .share = 0.05});
    EXPECT_EQ(models::CountParameters(models::TrainableParameters(*model)), count);
    const auto trained = BytesOf(models::TrainableParameters(*model));
    std::vector<Param*> frozen;
    for (Param* param : models::Parameters(*model)) {
      if (!param->trainable) frozen.push_back(param);
    }
    const auto frozen_before = BytesOf(frozen);
    Trainer trainer(*model, OptionsOf(2, 1e-2));
    for (Index i = 0; i < 2; ++i) trainer.Step(SomeBatch(*model));
    EXPECT_TRUE(BytesOf(frozen) == frozen_before);
    for (const auto& [name, bytes] : BytesOf(models::TrainableParameters(*model)))
      EXPECT_NE(bytes, trained.at(name)) << name;
  }
}

// With A := the universal basis, or B := its transpose for a matrix that only writes the model's width, lora-fa is
// amplitude with start exact.
TEST(LoraFa, OnTheBasisIsAmplitude) {
  ForEachModel([](models::LanguageModel& base) {
    MethodSettings lora{.method = "lora-fa", .chain = nn::Chain::kFactored, .rank = 3, .factors = FactorSource::kBasis};
    MethodSettings amplitude{.method = "amplitude", .k = 3, .chain = nn::Chain::kFactored};
    const Bases bases = MakeBases(base, lora, {}, {});
    const auto a = base.Clone(), b = base.Clone();
    Prepare(*a, lora, bases);
    Prepare(*b, amplitude, bases);
    TrainOptions options = OptionsOf(4, 1e-2);
    options.adamw.eps = 1e-3;  // with the usual one, rounding decides the first step of a gradient that is nearly zero
    Trainer trains_a(*a, options), trains_b(*b, options);
    for (Index step = 0; step < 4; ++step) {
      const double loss = trains_b.Step(SomeBatch(base)).loss;
      EXPECT_LE(std::abs(trains_a.Step(SomeBatch(base)).loss - loss), 50 * kEpsilon * loss);
    }
    const nn::Parts found = a->Parts(), expected = b->Parts();
    for (size_t i = 0; i < found.matrices.size(); ++i) {
      EXPECT_LE(Apart(found.matrices[i]->form->Merged().Widened(), expected.matrices[i]->form->Merged().Widened()),
                100 * kEpsilon)
          << found.matrices[i]->name;
    }
  });
}

TEST(UpdateMethod, DrawsBySeedAndMatrixAlone) {
  for (const char* method : {"lora", "vera", "sparse"}) {
    SCOPED_TRACE(method);
    const auto one = TinyGpt(3), same = TinyGpt(3), other = TinyGpt(3);
    MethodSettings settings{.method = method, .rank = 2, .share = 0.05, .seed = 1};
    Prepare(*one, settings);
    settings.scope = {.all_layers = false, .first = 1, .last = 1};
    Prepare(*same, settings);
    settings.seed = 2;
    Prepare(*other, settings);
    const std::string name = "h.1.mlp.c_fc.weight";
    const auto bytes = [&](models::LanguageModel& model) {
      Disturb(model);
      return FindMatrix(model, name)->form->Merged().Widened();
    };
    if (std::string(method) == "lora") {
      EXPECT_TRUE(
          SameBits(FindMatrix(*one, name)->form->Part("A").value, FindMatrix(*same, name)->form->Part("A").value));
    }
    EXPECT_FALSE(SameBits(bytes(*same), bytes(*other)));
  }
}

TEST(UpdateMethod, RefusesARankThatIsTooLarge) {
  const auto model = TinyGpt(3);
  ExpectMessage<std::invalid_argument>(
      [&] { Prepare(*model, {.method = "pissa", .rank = 17}); },
      "--rank: expected at most 16, as h.0.attn.c_attn.weight [48, 16] allows, found 17");
  ExpectMessage<std::invalid_argument>(
      [&] { Prepare(*TinyGpt(3), {.method = "core", .rank = 2, .factors = FactorSource::kGaussian}); },
      "--factors: expected top, minor or orthonormal for core");
}

TEST(Vera, RefusesMoreThanOneBasis) {
  const auto model = TinyGpt(3);
  const MethodSettings settings{
      .method = "vera", .basis = ct::BasisKind::kType, .rank = 2, .factors = FactorSource::kBasis};
  const Bases bases = MakeBases(*model, settings, {}, {});
  ExpectMessage<std::invalid_argument>([&] { Prepare(*model, settings, bases); },
                                       "--factors basis: vera needs one basis for all matrices");
}

// Two sequences side by side, or one below the other: the same loss, so the same gradients.
TEST(GradientBasis, IsThatOfPackedBatchesToo) {
  ForEachModel([](models::LanguageModel& base) {
    const MethodSettings settings{
        .method = "lora-fa", .basis = ct::BasisKind::kGradient, .rank = 2, .factors = FactorSource::kBasis};
    Batch batch = SomeBatch(base);
    const Tensor expected = MakeBases(base, settings, {}, {batch}).shared()->vectors;
    EXPECT_EQ(expected.rows(), 2);
    batch.borders = std::make_shared<const std::vector<Index>>(std::vector<Index>{0, kLength, 2 * kLength});
    EXPECT_LE(Apart(MakeBases(base, settings, {}, {batch}).shared()->vectors, expected), 1e4 * kEpsilon);
    // Cut elsewhere, they are other sequences.
    batch.borders = std::make_shared<const std::vector<Index>>(std::vector<Index>{0, 2, 2 * kLength});
    batch.length = 2 * kLength - 2;
    EXPECT_GT(Apart(MakeBases(base, settings, {}, {batch}).shared()->vectors, expected), 1e-3);
  });
}

TEST(Targets, ChooseMatricesByTheEndOfTheirNames) {
  const auto gpt = TinyGpt(3);
  const auto llama = LittleLlama(3);
  const auto count = [](models::LanguageModel& model, const std::vector<std::string>& words) {
    return MatricesInScope(model, {.targets = ParseTargets(words, model)}).size();
  };
  EXPECT_EQ(count(*gpt, {"c_attn"}), 2u);
  EXPECT_EQ(count(*gpt, {"c_proj"}), 4u);
  EXPECT_EQ(count(*gpt, {"attn.c_proj", "c_fc"}), 4u);
  EXPECT_EQ(count(*gpt, {"h.1.mlp.c_fc"}), 1u);
  EXPECT_EQ(count(*llama, {"q", "v"}), 4u);
  EXPECT_EQ(count(*llama, {"gate", "down_proj", "layers.0.self_attn.k_proj"}), 5u);
  ExpectMessage<std::runtime_error>(
      [&] { ParseTargets({"q"}, *gpt); },
      "--targets: expected matrices of the model, such as c_attn, c_proj, c_fc, found 'q_proj'");
}

}  // namespace
}  // namespace ampgrad::train
