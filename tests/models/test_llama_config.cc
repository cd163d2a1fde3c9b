#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/llama.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// What a Llama's config.json may say. The settings of its rotary positions are in test_rope.cc.
namespace ampgrad::models {
namespace {

using Json = nlohmann::json;

// Parses JSON text, as from a file.
LlamaConfig ParseLlama(const Json& json) { return LlamaConfig::FromJson({Json::parse(json.dump()), "f"}); }

void ExpectLlamaRefused(const Json& json, const std::string& message) {
  ExpectMessage<std::runtime_error>([&] { ParseLlama(json); }, message);
}

// The defaults of Hugging Face's LlamaConfig.
TEST(LlamaConfig, TakesDefaultsForMissingAndNullFields) {
  Json nulls = Json::object();
  for (const char* key : {"vocab_size",
                          "hidden_size",
                          "intermediate_size",
                          "num_hidden_layers",
                          "num_attention_heads",
                          "num_key_value_heads",
                          "head_dim",
                          "hidden_act",
                          "max_position_embeddings",
                          "rms_norm_eps",
                          "rope_theta",
                          "rope_scaling",
                          "rope_parameters",
                          "attention_bias",
                          "mlp_bias",
                          "tie_word_embeddings",
                          "bos_token_id",
                          "eos_token_id",
                          "pad_token_id",
                          "torch_dtype"}) {
    nulls[key] = nullptr;
  }
  for (const Json& json : {Json::object(), nulls}) {
    const LlamaConfig config = ParseLlama(json);
    EXPECT_EQ(config.vocab_size, 32000);
    EXPECT_EQ(config.hidden_size, 4096);
    EXPECT_EQ(config.intermediate_size, 11008);
    EXPECT_EQ(config.num_hidden_layers, 32);
    EXPECT_EQ(config.num_attention_heads, 32);
    EXPECT_EQ(config.kv_heads(), 32);
    EXPECT_EQ(config.dim(), 128);
    EXPECT_EQ(config.max_position_embeddings, 2048);
    EXPECT_EQ(config.rms_norm_eps, 1e-6);
    EXPECT_EQ(config.rope, RopeConfig());
    EXPECT_FALSE(config.attention_bias);
    EXPECT_FALSE(config.mlp_bias);
    EXPECT_FALSE(config.tie_word_embeddings);  // unlike GPT-2's
  }
}

Json EveryField() {
  return {{"vocab_size", 61},
          {"hidden_size", 24},
          {"intermediate_size", 40},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 6},
          {"num_key_value_heads", 2},
          {"head_dim", 10},
          {"hidden_act", "silu"},
          {"max_position_embeddings", 99},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 500000.0},
          {"rope_scaling", {{"rope_type", "linear"}, {"factor", 4.0}}},
          {"attention_bias", true},
          {"mlp_bias", true},
          {"tie_word_embeddings", true},
          {"bos_token_id", 1},
          {"eos_token_id", {2, 60}},
          {"pretraining_tp", 2},
          {"torch_dtype", "bfloat16"}};
}

TEST(LlamaConfig, ReadsEveryField) {
  const LlamaConfig config = ParseLlama(EveryField());
  EXPECT_EQ(config.vocab_size, 61);
  EXPECT_EQ(config.hidden_size, 24);
  EXPECT_EQ(config.intermediate_size, 40);
  EXPECT_EQ(config.num_hidden_layers, 3);
  EXPECT_EQ(config.num_attention_heads, 6);
  EXPECT_EQ(config.kv_heads(), 2);
  EXPECT_EQ(config.dim(), 10);
  EXPECT_EQ(config.max_position_embeddings, 99);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.rope.type, RopeConfig::Type::kLinear);
  EXPECT_EQ(config.rope.theta, 500000);
  EXPECT_EQ(config.rope.factor, 4);
  EXPECT_TRUE(config.attention_bias);
  EXPECT_TRUE(config.mlp_bias);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.special_tokens.begin, 1);
  EXPECT_EQ(config.special_tokens.end, (std::vector<int>{2, 60}));
}

// The written config is complete and reads back as the same.
TEST(Llama, ConfigReadsBackAsItself) {
  for (const Json& scaling : {Json(), Json{{"rope_type", "linear"}, {"factor", 4.0}},
                              Json{{"rope_type", "llama3"},
                                   {"factor", 8.0},
                                   {"low_freq_factor", 1.0},
                                   {"high_freq_factor", 4.0},
                                   {"original_max_position_embeddings", 50}}}) {
    Json json = EveryField();
    json["rope_scaling"] = scaling;
    const Json written = Llama(ParseLlama(json)).Config();
    for (const auto& [key, value] : json.items()) {
      if (key == "torch_dtype" || key == "pretraining_tp") continue;
      EXPECT_EQ(written[key], value) << key;
    }
    EXPECT_EQ(written["model_type"], "llama");
    EXPECT_EQ(written["architectures"], Json::array({"LlamaForCausalLM"}));
    EXPECT_EQ(written["torch_dtype"], "float32");
    EXPECT_EQ(Llama(ParseLlama(written)).Config(), written);
  }
}

TEST(LlamaConfig, RefusesWhatIsNoPositiveInteger) {
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "head_dim", "max_position_embeddings"}) {
    for (const Json& value :
         {Json(0), Json(-1), Json(1.5), Json("12"), Json(true), Json(12.0), Json(int64_t{1} << 31),
          Json(uint64_t{1} << 63), Json(UINT64_MAX), Json(INT64_MIN), Json::array({12}), Json::object()}) {
      ExpectFieldRefused(ParseLlama, key, value);
    }
  }
  ExpectLlamaRefused({{"num_hidden_layers", 4097}},
                     "f: expected num_hidden_layers to be an integer in 1..4096, found 4097");
}

TEST(LlamaConfig, RefusesNumbersThatAreNotPositive) {
  for (const char* key : {"rms_norm_eps", "rope_theta"}) {
    for (const Json& value : {Json(0), Json(0.0), Json(-1), Json("1e-5"), Json(true), Json::array()}) {
      ExpectLlamaRefused({{key, value}},
                         std::string("f: expected ") + key + " to be a number over 0, found " + value.dump());
    }
  }
}

TEST(LlamaConfig, RefusesWhatIsNoBoolean) {
  for (const char* key : {"attention_bias", "mlp_bias", "tie_word_embeddings"}) {
    for (const Json& value : {Json(1), Json("true"), Json::array()}) {
      ExpectLlamaRefused({{key, value}},
                         std::string("f: expected ") + key + " to be true or false, found " + value.dump());
    }
  }
}

TEST(LlamaConfig, RefusesOtherActivationsByName) {
  for (const std::string name : {"gelu", "gelu_pytorch_tanh", "relu", "swish", "SiLU", ""}) {
    ExpectLlamaRefused({{"hidden_act", name}}, "f: expected hidden_act to be \"silu\", found \"" + name + "\"");
  }
  ExpectLlamaRefused({{"hidden_act", 1}}, "f: expected hidden_act to be a string, found 1");
}

TEST(LlamaConfig, RefusesRotationsByName) {
  for (const std::string type : {"yarn", "dynamic", "longrope"}) {
    ExpectLlamaRefused(
        {{"rope_scaling", {{"type", type}, {"factor", 2.0}}}},
        "f: expected rope_scaling.type to be \"default\", \"linear\" or \"llama3\", found \"" + type + "\"");
  }
  ExpectLlamaRefused({{"partial_rotary_factor", 0.5}}, "f: expected partial_rotary_factor to be 1, found 0.5");
}

TEST(LlamaConfig, AWidthOfHeadsNeedNotDivideTheWidth) {
  EXPECT_EQ(ParseLlama({{"hidden_size", 20}, {"num_attention_heads", 3}, {"head_dim", 8}}).dim(), 8);
}

TEST(LlamaConfig, RefusesHeadsThatDoNotFit) {
  ExpectLlamaRefused({{"hidden_size", 30}, {"num_attention_heads", 4}},
                     "f: expected hidden_size to be a multiple of num_attention_heads, found 30 and 4");
  ExpectLlamaRefused({{"num_attention_heads", 32}, {"num_key_value_heads", 5}},
                     "f: expected num_attention_heads to be a multiple of num_key_value_heads, found 32 and 5");
  ExpectLlamaRefused({{"num_attention_heads", 2}, {"num_key_value_heads", 4}},
                     "f: expected num_attention_heads to be a multiple of num_key_value_heads, found 2 and 4");
  ExpectLlamaRefused({{"hidden_size", 12}, {"num_attention_heads", 4}},
                     "f: expected the head dimension to be a multiple of 2, found 3 and 2");
  ExpectLlamaRefused({{"head_dim", 7}}, "f: expected the head dimension to be a multiple of 2, found 7 and 2");
  EXPECT_EQ(ParseLlama({{"hidden_size", 12}, {"num_attention_heads", 4}, {"head_dim", 8}}).dim(), 8);
}

// ---- Tokens that begin and end a text: the same fields in both families

TEST(SpecialTokens, AreReadInBothFamilies) {
  for (const char* type : {"gpt2", "llama"}) {
    const auto read = [&](const Json& json) {
      return type == std::string("gpt2") ? GptConfig::FromJson({json, "f"}).special_tokens
                                         : ParseLlama(json).special_tokens;
    };
    using Ids = std::vector<int>;
    EXPECT_EQ(read({{"eos_token_id", 2}}).end, Ids{2});
    EXPECT_EQ(read({{"eos_token_id", {7, 2}}}).end, (Ids{7, 2}));
    EXPECT_EQ(read({{"eos_token_id", Json::array()}}).end, Ids{});
    const SpecialTokens none = read({{"eos_token_id", nullptr}, {"bos_token_id", nullptr}});
    EXPECT_EQ(none.end, Ids{});
    EXPECT_EQ(none.begin, std::nullopt);
    // Absent: the defaults of Hugging Face's GPT2Config and LlamaConfig, where the vocabulary has them.
    const bool gpt2 = type == std::string("gpt2");
    EXPECT_EQ(read(Json::object()).end, Ids{gpt2 ? 50256 : 2});
    EXPECT_EQ(read(Json::object()).begin, gpt2 ? 50256 : 1);
    EXPECT_EQ(read({{"vocab_size", 1}}).end, Ids{});
    EXPECT_EQ(read({{"vocab_size", 1}}).begin, std::nullopt);
  }
}

// A small model whose configuration was made without its tokenizer has the ids of the family.
TEST(SpecialTokens, DefaultsThatDoNotFitAreLeftOutWithANote) {
  ::testing::internal::CaptureStderr();
  const Json json = {{"vocab_size", 10}, {"bos_token_id", 50256}, {"eos_token_id", {50256, 3}}};
  const SpecialTokens tokens = GptConfig::FromJson({json, "f"}).special_tokens;
  const std::string end = " = 50256 is not used: it is the default of the model family, and vocab_size is 10\n";
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "ampgrad: note: f: bos_token_id" + end + "ampgrad: note: f: eos_token_id" + end);
  EXPECT_EQ(tokens.begin, std::nullopt);
  EXPECT_EQ(tokens.end, std::vector<int>{3});
}

TEST(SpecialTokens, MustBeTokensOfTheVocabulary) {
  for (const char* type : {"gpt2", "llama"}) {
    const auto expect = [&](Json json, const std::string& message) {
      json["vocab_size"] = 10;
      ExpectMessage<std::runtime_error>(
          [&] {
            type == std::string("gpt2") ? (void)GptConfig::FromJson({json, "f"}) : (void)ParseLlama(json);
          },
          message);
    };
    expect({{"eos_token_id", 10}}, "f: expected eos_token_id below vocab_size, found 10 of 10");
    expect({{"eos_token_id", {9, 2, 50255}}}, "f: expected eos_token_id below vocab_size, found 50255 of 10");
    expect({{"bos_token_id", 12}}, "f: expected bos_token_id below vocab_size, found 12 of 10");
    expect({{"bos_token_id", -1}}, "f: expected bos_token_id to be an integer in 0..2147483647, found -1");
    expect({{"bos_token_id", "<s>"}}, "f: expected bos_token_id to be an integer in 0..2147483647, found \"<s>\"");
    expect({{"eos_token_id", {1, -2}}},
           "f: expected eos_token_id to be an integer or a list of integers in 0..2147483647, found [1,-2]");
    expect({{"eos_token_id", "</s>"}},
           "f: expected eos_token_id to be an integer or a list of integers in 0..2147483647, found \"</s>\"");
  }
}

TEST(Llama, EndsAtTheEndOfATextAndAtTheBeginOfAnother) {
  LlamaConfig config = LittleLlamaConfig();
  for (const auto& [tokens, stops] :
       {std::pair<SpecialTokens, std::vector<int>>{{}, {}}, {{1, {}}, {1}}, {{1, {2, 5}}, {2, 5, 1}}}) {
    config.special_tokens = tokens;
    EXPECT_EQ(Llama(config).EndTokens(), stops);
  }
}

}  // namespace
}  // namespace ampgrad::models
