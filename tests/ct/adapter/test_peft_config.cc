#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "ct/adapter/peft_config.h"
#include "tests/support/files.h"

/// What an adapter_config.json means. Expected values are by PEFT's own rules, read in its source.
namespace ampgrad::ct {
namespace {

using Json = nlohmann::json;
constexpr auto kBlock = nn::MatrixKind::kBlock;

PeftConfig Config(const Json& changes = Json::object()) {
  Json config = {{"peft_type", "LORA"}, {"target_modules", {"q_proj"}}};
  config.update(changes);
  return PeftConfig(config.dump(), "f");
}

std::string Error(const Json& changes) {
  return MessageOf({}, [&] { Config(changes); });
}

std::string Layer(int i, const std::string& module) { return "model.layers." + std::to_string(i) + "." + module; }

TEST(PeftConfig, AListHoldsPathsAndEndsOfPaths) {
  const PeftConfig config = Config({{"target_modules", {"q_proj", "mlp.c_proj", "lm_head"}}});
  EXPECT_TRUE(config.Updates(Layer(0, "self_attn.q_proj"), kBlock));
  EXPECT_TRUE(config.Updates("transformer.h.3.mlp.c_proj", kBlock));
  EXPECT_FALSE(config.Updates("transformer.h.3.attn.c_proj", kBlock));
  EXPECT_FALSE(config.Updates(Layer(0, "self_attn.xq_proj"), kBlock));
  EXPECT_TRUE(config.Updates("lm_head", nn::MatrixKind::kVocabulary));
}

TEST(PeftConfig, ExcludedModulesAreLeftOut) {
  EXPECT_FALSE(Config({{"exclude_modules", {"0.self_attn.q_proj"}}}).Updates(Layer(0, "self_attn.q_proj"), kBlock));
  EXPECT_TRUE(Config({{"exclude_modules", {"0.self_attn.q_proj"}}}).Updates(Layer(1, "self_attn.q_proj"), kBlock));
  EXPECT_FALSE(Config({{"exclude_modules", ".*1.*"}}).Updates(Layer(1, "self_attn.q_proj"), kBlock));
  EXPECT_FALSE(Config({{"modules_to_save", {"q_proj"}}}).Updates(Layer(1, "self_attn.q_proj"), kBlock));
}

TEST(PeftConfig, AllLinearModulesAreThoseOfTheBlocks) {
  const PeftConfig config = Config({{"target_modules", "all-linear"}});
  EXPECT_TRUE(config.Updates(Layer(0, "mlp.up_proj"), kBlock));
  EXPECT_FALSE(config.Updates("lm_head", nn::MatrixKind::kVocabulary));
  EXPECT_FALSE(config.Updates("transformer.wpe", nn::MatrixKind::kPosition));
}

TEST(PeftConfig, LayersAreCountedByTheFirstNumberInAPath) {
  for (const Json& lists : {Json("layers"), Json({"h", "layers"}), Json(), Json(""), Json::array()}) {
    const PeftConfig config = Config({{"layers_to_transform", {1, 11}}, {"layers_pattern", lists}});
    EXPECT_FALSE(config.Updates(Layer(0, "self_attn.q_proj"), kBlock)) << lists;
    EXPECT_TRUE(config.Updates(Layer(1, "self_attn.q_proj"), kBlock)) << lists;
    EXPECT_TRUE(config.Updates(Layer(11, "self_attn.q_proj"), kBlock)) << lists;
    EXPECT_FALSE(config.Updates(Layer(0, "experts.1.q_proj"), kBlock)) << lists;
  }
  EXPECT_FALSE(Config({{"layers_to_transform", 1}, {"layers_pattern", "h"}}).Updates(Layer(1, "q_proj"), kBlock));
  EXPECT_TRUE(Config({{"layers_to_transform", 0}}).Updates(Layer(0, "q_proj"), kBlock));
  EXPECT_FALSE(Config({{"layers_to_transform", 0}}).Updates(Layer(1, "q_proj"), kBlock));
  EXPECT_TRUE(Config({{"layers_to_transform", Json::array()}}).Updates(Layer(1, "q_proj"), kBlock));
  EXPECT_FALSE(Config({{"layers_to_transform", 1}}).Updates("layers.1.q_proj", kBlock));
}

TEST(PeftConfig, AWholePathIsInNoNeedOfALayer) {
  const PeftConfig config = Config({{"target_modules", {"q_proj", "lm_head"}}, {"layers_to_transform", {1}}});
  EXPECT_TRUE(config.Updates("lm_head", nn::MatrixKind::kVocabulary));
}

TEST(PeftConfig, SavedModulesAreNamedByAnyEndAndHoldAllBelow) {
  const PeftConfig config = Config({{"modules_to_save", {"norm", "mlp"}}});
  EXPECT_TRUE(config.Replaces("model.norm"));
  EXPECT_TRUE(config.Replaces(Layer(0, "input_layernorm")));
  EXPECT_TRUE(config.Replaces(Layer(0, "mlp.up_proj")));
  EXPECT_FALSE(config.Replaces(Layer(0, "self_attn.o_proj")));
  EXPECT_FALSE(config.Replaces("lm_head"));
}

TEST(PeftConfig, ScalesByRankOrItsRoot) {
  EXPECT_EQ(Config().RankOf("q_proj"), 8);
  EXPECT_EQ(Config().ScaleOf("q_proj"), 1);
  EXPECT_EQ(Config({{"r", 16}, {"lora_alpha", 4}}).ScaleOf("q_proj"), 0.25);
  EXPECT_EQ(Config({{"r", 16}, {"lora_alpha", 4}, {"use_rslora", true}}).ScaleOf("q_proj"), 1);
  EXPECT_EQ(Config({{"lora_alpha", 0.5}}).ScaleOf("q_proj"), 0.0625);
}

TEST(PeftConfig, PatternsMatchPathsAndEndsOfPaths) {
  const PeftConfig config = Config({{"r", 4},
                                    {"rank_pattern", {{"q_proj", 2}, {"^model.layers.1.self_attn.k_proj", 3}}},
                                    {"alpha_pattern", {{"layers\\.0\\..*_proj|lm_head", 5}}}});
  EXPECT_EQ(config.RankOf(Layer(0, "self_attn.q_proj")), 2);
  EXPECT_EQ(config.RankOf(Layer(0, "self_attn.k_proj")), 4);
  EXPECT_EQ(config.RankOf(Layer(1, "self_attn.k_proj")), 3);
  EXPECT_EQ(config.RankOf(Layer(1, "self_attn.xq_proj")), 4);
  EXPECT_EQ(config.ScaleOf(Layer(0, "self_attn.q_proj")), 2.5);
  EXPECT_EQ(config.ScaleOf(Layer(1, "self_attn.q_proj")), 4);
  EXPECT_EQ(config.ScaleOf("lm_head"), 1.25);
}

TEST(PeftConfig, TheFirstPatternInTheFileCounts) {
  const auto rank = [](const std::string& patterns) {
    const std::string text = R"({"peft_type": "LORA", "target_modules": ["q"], "rank_pattern": )" + patterns + "}";
    return PeftConfig(text, "f").RankOf("model.layers.0.q");
  };
  EXPECT_EQ(rank(R"({"q": 2, "0.q": 3})"), 2);
  EXPECT_EQ(rank(R"({"0.q": 3, "q": 2})"), 3);
}

TEST(PeftConfig, NamesWhatItDoesNotUnderstand) {
  const std::string off = " to be null, false or empty, as nothing else is supported, found ";
  EXPECT_EQ(Error({{"peft_type", "IA3"}}), "f: expected peft_type to be \"LORA\", found \"IA3\"");
  EXPECT_EQ(Error({{"peft_type", nullptr}}), "f: expected peft_type to be \"LORA\", found nothing");
  EXPECT_EQ(Error({{"task_type", "SEQ_CLS"}}), "f: expected task_type to be \"CAUSAL_LM\", found \"SEQ_CLS\"");
  EXPECT_EQ(Error({{"bias", "all"}}), "f: expected bias to be \"none\", found \"all\"");
  EXPECT_EQ(Error({{"use_qalora", true}}), "f: expected use_qalora" + off + "true");
  EXPECT_EQ(Error({{"scale_by_depth", 0}}), "f: expected scale_by_depth" + off + "0");
  EXPECT_EQ(Error({{"a", nullptr}, {"b", false}, {"c", ""}, {"d", Json::array()}, {"e", Json::object()}}), "");
  EXPECT_EQ(Error({{"init_lora_weights", "pissa"}}),
            "f: expected init_lora_weights to be a start that leaves the base as it is, such as true or \"gaussian\", "
            "found \"pissa\"");
  EXPECT_EQ(Error({{"init_lora_weights", "eva"}, {"eva_config", {{"rho", 2}}}, {"fan_in_fan_out", true}}), "");
}

TEST(PeftConfig, ValuesHaveTypesAndRanges) {
  EXPECT_EQ(Error({{"r", 0}}), "f: expected r to be an integer in 1..1048576, found 0");
  EXPECT_EQ(Error({{"lora_alpha", "six"}}), "f: expected lora_alpha to be a number, found \"six\"");
  EXPECT_EQ(Error({{"lora_alpha", 1e300}}),
            "f: expected lora_alpha to be a number of at most 1e9 in size, found 1e+300");
  EXPECT_EQ(Error({{"use_dora", "sometimes"}}), "f: expected use_dora to be true or false, found \"sometimes\"");
  EXPECT_EQ(Error({{"rank_pattern", {"q"}}}), "f: expected rank_pattern to be an object, found [\"q\"]");
  EXPECT_EQ(Error({{"rank_pattern", {{"q", 0.5}}}}),
            "f: expected rank_pattern.q to be an integer in 1..1048576, found 0.5");
  EXPECT_EQ(Error({{"target_modules", nullptr}}),
            "f: expected target_modules to be the modules that the adapter changes, found nothing");
  EXPECT_EQ(Error({{"target_modules", {"q", 3}}}), "f: expected target_modules[1] to be a string, found 3");
  EXPECT_EQ(Error({{"modules_to_save", {""}}}),
            "f: expected modules_to_save[0] to be a string that is not empty, found \"\"");
  EXPECT_EQ(Error({{"target_modules", "q.*"}, {"layers_to_transform", {1}}}),
            "f: expected target_modules to be a list, as there is layers_to_transform beside it, found \"q.*\"");
}

TEST(PeftConfig, NamesPatternsThatAreNotOfTheSimpleKind) {
  EXPECT_EQ(Error({{"target_modules", "(?!vision).*"}}),
            "f: expected target_modules to have simple regular expressions, found \"(?!vision).*\", where (? is not "
            "supported, except (?:");
  EXPECT_EQ(Error({{"alpha_pattern", {{"(q", 1}}}}),
            "f: expected alpha_pattern to have simple regular expressions, found \"(q\", where a ( is not closed");
}

}  // namespace
}  // namespace ampgrad::ct
