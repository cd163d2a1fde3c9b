#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "models/gpt.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// GPT-2's shape: counts, what a config may say, and what holds for any weights. Its values are compared with
/// reference results in test_golden.cc.
namespace ampgrad::models {
namespace {

// Vocabulary and positions, blocks (12·d² weights, 13·d biases and norms when the MLP is 4·d wide), the last norm.
Index CountByHand(Index vocabulary, Index positions, Index d, Index layers, bool tied) {
  return (vocabulary + positions) * d + layers * (12 * d * d + 13 * d) + 2 * d + (tied ? 0 : vocabulary * d);
}

TEST(Gpt, CountsTheParametersOfThePresets) {
  for (const bool tied : {true, false}) {
    GptConfig photonic = PresetConfig("photonic"), nano = PresetConfig("nano");
    photonic.tie_word_embeddings = nano.tie_word_embeddings = tied;
    Gpt photonic_model(photonic), nano_model(nano);
    EXPECT_EQ(CountParameters(photonic_model), CountByHand(256, 512, 256, 8, tied));
    EXPECT_EQ(CountParameters(nano_model), CountByHand(256, 64, 32, 2, tied));
  }
  EXPECT_EQ(CountByHand(256, 512, 256, 8, true), 6'515'200);
  EXPECT_EQ(CountByHand(50257, 1024, 768, 12, true), 124'439'808);  // the formula against the published gpt2
}

TEST(Gpt, CountsTheParametersOfAnInnerWidth) {
  GptConfig config = TinyConfig();
  config.n_inner = 24;
  Gpt model(config);
  const Index d = 16, block = 3 * d * d + 3 * d + d * d + d + d * 24 + 24 + 24 * d + d + 4 * d;
  EXPECT_EQ(CountParameters(model), (23 + 12) * d + 2 * block + 2 * d);
}

TEST(Gpt, RefusesAnUnknownPreset) {
  ExpectMessage<std::invalid_argument>([] { PresetConfig("huge"); },
                                       "[preset] expected photonic or nano, found 'huge'");
}

// Parses JSON text, as from a file.
GptConfig ParseGpt(const nlohmann::json& json) {
  return GptConfig::FromJson({nlohmann::json::parse(json.dump()), "f"});
}

void ExpectGptRefused(const nlohmann::json& json, const std::string& message) {
  ExpectMessage<std::runtime_error>([&] { ParseGpt(json); }, message);
}

// The defaults of Hugging Face's GPT2Config.
TEST(GptConfig, TakesDefaultsForMissingAndNullFields) {
  nlohmann::json nulls = nlohmann::json::object();
  for (const char* key : {"vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner", "layer_norm_epsilon",
                          "activation_function", "tie_word_embeddings", "scale_attn_weights",
                          "scale_attn_by_inverse_layer_idx", "add_cross_attention"}) {
    nulls[key] = nullptr;
  }
  for (const nlohmann::json& json : {nlohmann::json::object(), nulls}) {
    const GptConfig config = ParseGpt(json);
    EXPECT_EQ(config.vocab_size, 50257);
    EXPECT_EQ(config.n_positions, 1024);
    EXPECT_EQ(config.n_embd, 768);
    EXPECT_EQ(config.n_layer, 12);
    EXPECT_EQ(config.n_head, 12);
    EXPECT_EQ(config.inner(), 4 * 768);
    EXPECT_EQ(config.layer_norm_epsilon, 1e-5);
    EXPECT_TRUE(config.tie_word_embeddings);
  }
}

TEST(GptConfig, ReadsEveryField) {
  const GptConfig config = ParseGpt({{"vocab_size", 61},
                                     {"n_positions", 16},
                                     {"n_embd", 32},
                                     {"n_layer", 3},
                                     {"n_head", 4},
                                     {"n_inner", 40},
                                     {"layer_norm_epsilon", 1e-6},
                                     {"tie_word_embeddings", false},
                                     {"activation_function", "gelu_pytorch_tanh"},
                                     {"scale_attn_weights", true},
                                     {"scale_attn_by_inverse_layer_idx", false},
                                     {"add_cross_attention", false},
                                     {"n_ctx", "ignored"}});
  EXPECT_EQ(config.vocab_size, 61);
  EXPECT_EQ(config.n_positions, 16);
  EXPECT_EQ(config.n_embd, 32);
  EXPECT_EQ(config.n_layer, 3);
  EXPECT_EQ(config.n_head, 4);
  EXPECT_EQ(config.inner(), 40);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-6);
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST(GptConfig, RefusesWhatIsNoPositiveInteger) {
  for (const char* key : {"vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner"}) {
    for (const nlohmann::json& value :
         {nlohmann::json(-1), nlohmann::json(1.5), nlohmann::json("12"), nlohmann::json(true), nlohmann::json(12.0),
          nlohmann::json(uint64_t{1} << 63), nlohmann::json(UINT64_MAX), nlohmann::json(INT64_MIN),
          nlohmann::json::array({12}), nlohmann::json::object()}) {
      ExpectFieldRefused(ParseGpt, key, value);
    }
  }
  for (const char* key : {"vocab_size", "n_positions", "n_embd", "n_layer", "n_head"})
    ExpectFieldRefused(ParseGpt, key, 0);
  ExpectGptRefused({{"n_layer", 0}}, "f: expected n_layer to be an integer in 1..4096, found 0");
}

TEST(GptConfig, RefusesAnInnerWidthOfZero) { ExpectFieldRefused(ParseGpt, "n_inner", 0); }

TEST(GptConfig, RefusesExtentsOf31BitsAndMore) {
  for (const char* key : {"vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner"}) {
    ExpectFieldRefused(ParseGpt, key, int64_t{1} << 31);
    ExpectFieldRefused(ParseGpt, key, int64_t{1} << 32);
  }
}

TEST(GptConfig, RefusesAnEpsilonThatIsNoPositiveNumber) {
  for (const nlohmann::json& value : {nlohmann::json(0), nlohmann::json(0.0), nlohmann::json(-1),
                                      nlohmann::json("1e-5"), nlohmann::json(true), nlohmann::json::array()}) {
    ExpectGptRefused({{"layer_norm_epsilon", value}},
                     "f: expected layer_norm_epsilon to be a number over 0, found " + value.dump());
  }
  EXPECT_EQ(ParseGpt({{"layer_norm_epsilon", 1}}).layer_norm_epsilon, 1);
}

TEST(GptConfig, RefusesWhatIsNoBoolean) {
  for (const char* key :
       {"tie_word_embeddings", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "add_cross_attention"}) {
    for (const nlohmann::json& value : {nlohmann::json(1), nlohmann::json("true"), nlohmann::json::array()}) {
      ExpectGptRefused({{key, value}},
                       "f: expected " + std::string(key) + " to be true or false, found " + value.dump());
    }
  }
}

TEST(GptConfig, RefusesHeadsThatDoNotDivideTheWidth) {
  ExpectGptRefused({{"n_embd", 30}, {"n_head", 4}}, "f: expected n_embd to be a multiple of n_head, found 30 and 4");
  ExpectGptRefused({{"n_embd", 4}, {"n_head", 8}}, "f: expected n_embd to be a multiple of n_head, found 4 and 8");
  ExpectGptRefused({{"n_head", 11}}, "f: expected n_embd to be a multiple of n_head, found 768 and 11");
}

TEST(GptConfig, RefusesOtherActivationsByName) {
  for (const std::string name : {"gelu", "relu", "", "GELU_NEW"}) {
    ExpectGptRefused({{"activation_function", name}},
                     "f: expected activation_function to be \"gelu_new\", found \"" + name + "\"");
  }
  ExpectGptRefused({{"activation_function", 1}}, "f: expected activation_function to be a string, found 1");
}

TEST(GptConfig, RefusesOtherAttention) {
  ExpectGptRefused({{"scale_attn_by_inverse_layer_idx", true}},
                   "f: scale_attn_by_inverse_layer_idx = true is not supported");
  ExpectGptRefused({{"scale_attn_weights", false}}, "f: scale_attn_weights = false is not supported");
  ExpectGptRefused({{"add_cross_attention", true}}, "f: add_cross_attention = true is not supported");
}

TEST(Gpt, ConfigReadsBackAsItself) {
  for (const Index inner : {0, 24}) {
    GptConfig config = TinyConfig(false);
    config.n_inner = inner;
    config.layer_norm_epsilon = 3e-6;
    config.special_tokens = {1, {2, 5}};
    const GptConfig back = ParseGpt(Gpt(config).Config());
    EXPECT_EQ(back.vocab_size, config.vocab_size);
    EXPECT_EQ(back.n_positions, config.n_positions);
    EXPECT_EQ(back.n_embd, config.n_embd);
    EXPECT_EQ(back.n_layer, config.n_layer);
    EXPECT_EQ(back.n_head, config.n_head);
    EXPECT_EQ(back.inner(), config.inner());
    EXPECT_EQ(back.layer_norm_epsilon, config.layer_norm_epsilon);
    EXPECT_FALSE(back.tie_word_embeddings);
    EXPECT_EQ(back.special_tokens.begin, 1);
    EXPECT_EQ(back.special_tokens.end, (std::vector<int>{2, 5}));
  }
}

TEST(Gpt, EndsAtTheEndOfATextAndAtTheBeginOfAnother) {
  GptConfig config = TinyConfig();
  for (const auto& [tokens, stops] :
       {std::pair<SpecialTokens, std::vector<int>>{{}, {}}, {{1, {}}, {1}}, {{1, {2, 5}}, {2, 5, 1}}}) {
    config.special_tokens = tokens;
    EXPECT_EQ(Gpt(config).EndTokens(), stops);
  }
}

// Deviations estimated from every matrix: 0.02, or 0.02/√(2·layers) if it writes to the residual stream.
TEST(Gpt, InitialisesAsGpt2Does) {
  Gpt model(PresetConfig("photonic"));
  model.Initialise(3);
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    const Tensor w = matrix->form->Merged().Widened();
    double sum = 0, squares = 0;
    for (const Real x : w) {
      sum += x;
      squares += static_cast<double>(x) * x;
    }
    const double n = static_cast<double>(w.size());
    const double expected = matrix->name.ends_with("c_proj.weight") ? 0.02 / 4 : 0.02;
    // Five standard errors of a mean and of a deviation.
    EXPECT_LE(std::abs(sum / n), 5 * expected / std::sqrt(n)) << matrix->name;
    EXPECT_LE(std::abs(std::sqrt(squares / n) - expected), 5 * expected / std::sqrt(2 * n)) << matrix->name;
  }
  for (const Param* vector : model.Parts().vectors) {
    const bool gain = vector->name.find("ln_") != std::string::npos && vector->name.ends_with(".weight");
    for (const Real x : vector->value) ASSERT_EQ(x, gain ? 1 : 0) << vector->name;
  }
  Gpt again(PresetConfig("photonic")), other(PresetConfig("photonic"));
  again.Initialise(3);
  other.Initialise(4);
  const auto first = [](Gpt& gpt) { return gpt.Parts().matrices[2]->form->Merged().Widened(); };
  EXPECT_TRUE(SameBits(first(model), first(again)));
  EXPECT_FALSE(SameBits(first(model), first(other)));
}

Tensor GradOf(LanguageModel& model, const std::string& name) {
  return FindMatrix(model, name)->form->Part("weight").grad;
}

// A tied vocabulary is used twice: its gradient is the sum of the gradients of the two copies in an untied model.
TEST(Gpt, TiedVocabularySumsTheGradientsOfBothUses) {
  const auto tied = TinyGpt(5, true);
  Gpt untied(TinyConfig(false));
  const nn::Parts from = tied->Parts(), to = untied.Parts();
  for (size_t i = 0; i < to.matrices.size(); ++i) {
    const nn::Matrix& source = *from.matrices[i < from.matrices.size() ? i : 0];  // lm_head comes last
    to.matrices[i]->form =
        std::make_unique<nn::Dense>(to.matrices[i]->name, source.form->Merged().Widened().Clone(), source.layout);
  }
  for (size_t i = 0; i < to.vectors.size(); ++i) to.vectors[i]->value = from.vectors[i]->value.Clone();
  ASSERT_EQ(to.matrices.back()->name, "lm_head.weight");

  const std::vector<int> ids = RandomIds(16, 23, 1), targets = RandomIds(16, 23, 2);
  for (LanguageModel* model : {static_cast<LanguageModel*>(tied.get()), static_cast<LanguageModel*>(&untied)}) {
    Tape tape;
    tape.Backward(MeanCrossEntropy(model->Logits(tape, ids, 8), targets));
  }
  const Tensor sum = GradOf(*tied, "wte.weight"), embedding = GradOf(untied, "wte.weight"),
               head = GradOf(untied, "lm_head.weight");
  double difference = 0, norm = 0, of_embedding = 0, of_head = 0;
  for (Index i = 0; i < sum.size(); ++i) {
    const double expected = static_cast<double>(embedding[i]) + head[i];
    difference += std::pow(sum[i] - expected, 2);
    norm += expected * expected;
    of_embedding += std::pow(static_cast<double>(embedding[i]), 2);
    of_head += std::pow(static_cast<double>(head[i]), 2);
  }
  EXPECT_LE(std::sqrt(difference / norm), 8 * std::numeric_limits<Real>::epsilon());
  EXPECT_GT(of_embedding, 0.01 * norm);  // both uses count
  EXPECT_GT(of_head, 0.01 * norm);
}

TEST(Gpt, CloneOfAmplitudeFormIsDense) {
  const auto model = TinyGpt(4);
  const std::vector<ct::RowSource> sources =
      ct::SelectRows(model->Parts().matrices, model->width(), ct::RowsPolicy::kBlocks);
  ct::UseAmplitude(sources, std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, 3)), ct::Start::kReconstructed);
  const std::vector<int> ids = RandomIds(8, 23, 1);
  const auto copy = model->Clone();
  EXPECT_TRUE(SameBits(LogitsOf(*copy, ids, 8), LogitsOf(*model, ids, 8)));
  for (const Param* param : Parameters(*copy)) EXPECT_FALSE(param->name.starts_with("scores.")) << param->name;
}

}  // namespace
}  // namespace ampgrad::models
