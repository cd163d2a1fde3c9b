#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"
#include "train/study/plans/plan_file.h"

namespace ampgrad::train {
namespace {

// TinyGpt has width 16 and two layers.
class PlanFile : public ::testing::Test {
 protected:
  std::vector<Arm> Read(const std::string& json, const PlanSettings& settings = {}) const {
    std::ofstream(file_) << json;
    return ReadPlan(file_, *TinyGpt(1), settings);
  }
  void ExpectRefused(const std::string& json, const std::string& sentence) const {
    ExpectMessage<std::runtime_error>([&] { Read(json); }, file_.string() + ": expected " + sentence);
  }

  TempDir directory_;
  std::filesystem::path file_ = directory_.path() / "mine.json";
};

TEST_F(PlanFile, AMethodAloneIsAnArm) {
  const PlanSettings settings = {.scope = {.all_layers = false, .first = 1, .last = 1},
                                 .chain = nn::Chain::kExplicit,
                                 .rows = ct::RowsPolicy::kAll};
  const std::vector<Arm> arms = Read(R"([{"method":"full"},{"method":"lora"},{"method":"amplitude","k":4}])", settings);
  ASSERT_EQ(arms.size(), 3u);
  EXPECT_EQ(arms[0].name, "full");
  EXPECT_EQ(arms[1].name, "lora r=8");
  EXPECT_EQ(arms[2].name, "exact K=4");
  EXPECT_EQ(arms[2].groups, std::vector<std::string>{"mine"});
  EXPECT_EQ(arms[2].method.scope, settings.scope);
  EXPECT_EQ(arms[2].method.chain, nn::Chain::kExplicit);
  EXPECT_EQ(arms[2].method.rows, ct::RowsPolicy::kAll);
  EXPECT_EQ(arms[1].method.rank, 8);
  EXPECT_EQ(arms[1].fixed_lr, 0);
}

TEST_F(PlanFile, AKindIsAnArmToo) {
  const std::vector<Arm> arms = Read(R"([{"kind":"rebuilt","k":8},{"kind":"mean row"},{"kind":"layers removed"}])");
  EXPECT_EQ(arms[0].name, "full, rebuilt K=8");
  EXPECT_EQ(arms[0].method.method, "full");
  EXPECT_EQ(arms[1].name, "mean row alone");
  EXPECT_TRUE(arms[1].IsLevel() && arms[2].IsLevel());
  EXPECT_EQ(arms[1].method.start, ct::Start::kReconstructed);
}

TEST_F(PlanFile, EveryKeyCounts) {
  const Arm arm = Read(R"([{"method":"full"},{"name":"mine","groups":["a","b"],"method":"amplitude","k":3,"steps":7,
      "samples":64,"start":"reconstructed","basis":"random","rank":2,"factors":"top","share":0.25,"chain":"explicit",
      "rows":"residual","fixed_lr":0.5,"rates":[0.1,0.2],"rate_of":"full","norm_of":"full",
      "freeze":"random","summary":true,
      "scope":{"layers":"last:1","targets":["attn.c_proj"],"head":true}}])")
                      .at(1);
  const nlohmann::ordered_json expected = {
      {"name", "mine"},
      {"groups", {"a", "b"}},
      {"kind", "method"},
      {"steps", 7},
      {"samples", 64},
      {"fixed_lr", 0.5},
      {"rates", {0.1, 0.2}},
      {"rate_of", "full"},
      {"norm_of", "full"},
      {"freeze", "random"},
      {"summary", true},
      {"method", "amplitude"},
      {"k", 3},
      {"start", "reconstructed"},
      {"basis", "random"},
      {"rank", 2},
      {"factors", "top"},
      {"share", 0.25},
      {"chain", "explicit"},
      {"rows", "residual"},
      {"scope", {{"layers", "1-1"}, {"targets", {"attn.c_proj"}}, {"head", true}}}};
  EXPECT_EQ(ToJson(arm), expected);
}

// An arm of a line of runs.jsonl may be copied into a plan.
TEST_F(PlanFile, ReadsWhatALineSays) {
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  const auto model = TinyGpt(1);
  const std::vector<Arm> arms = ArmsOf("all", *model, {});
  for (const Arm& arm : arms) lines.push_back(ToJson(arm));
  const std::vector<Arm> again = Read(lines.dump());
  ASSERT_EQ(again.size(), arms.size());
  for (size_t i = 0; i < arms.size(); ++i) EXPECT_EQ(ToJson(again[i]), ToJson(arms[i]));
}

TEST_F(PlanFile, NamesWhatIsWrongAndWhere) {
  ExpectRefused(R"([{"method":"full","rnak":3}])", "[0].rnak to be absent, as an arm has no such key, found 3");
  ExpectRefused(R"([{"method":"full"},{"method":"full","scope":{"layer":"all"}}])",
                "[1].scope.layer to be absent, as a scope has no such key, found \"all\"");
  ExpectRefused(R"([{"name":"a"}])",
                "[0].method to be one of full, amplitude, lora, lora-fa, pissa, dora, sparse, core, vera, norms, found "
                "nothing");
  ExpectRefused(R"([{"kind":"odd"}])",
                "[0].kind to be one of method, rebuilt, mean row, layers removed, found \"odd\"");
  ExpectRefused(R"([{"method":"amplitude","k":17}])", "[0].k to be 1..16, the model's width, found 17");
  ExpectRefused(R"([{"method":"amplitude"}])", "[0].k to be 1..16, the model's width, found nothing");
  ExpectRefused(R"([{"method":"full","scope":{"layers":"1-2"}}])",
                "[0].scope.layers to be all, none, last:N, A-B or A, of 2 layers counted from 0, found \"1-2\"");
  ExpectRefused(R"([{"method":"full","scope":{"targets":["q_proj"]}}])",
                "[0].scope.targets to be names of matrices of the model, found [\"q_proj\"]");
  ExpectRefused(R"([{"method":"full","fixed_lr":-1}])", "[0].fixed_lr to be a rate, or 0 for a search, found -1");
  ExpectRefused(R"([{"method":"full","rates":[0]}])", "[0].rates[0] to be a number over 0, found 0");
  ExpectRefused(R"([{"method":"sparse","share":2}])", "[0].share to be a share over 0, of at most 1, found 2");
  ExpectRefused(R"([{"method":"full"},{"method":"lora"},{"method":"full","k":3}])",
                "each name once, found 'full' again in [2]");
  ExpectRefused(R"([{"method":"lora","norm_of":"full"}])",
                "[0].norm_of to be the name of an arm of the plan with a rate of its own, found \"full\"");
  ExpectRefused(R"([{"method":"full","norm_of":"full"}])",
                "[0].norm_of to be the name of an arm of the plan with a rate of its own, found \"full\"");
  ExpectRefused(R"([{"method":"full","norm_of":"norms"},{"method":"norms","rate_of":"full"}])",
                "[0].norm_of to be the name of an arm of the plan with a rate of its own, found \"norms\"");
  ExpectRefused(R"([{"method":"lora","rate_of":"lora r=8"}])",
                "[0].rate_of to be the name of an arm of the plan with a rate of its own, found \"lora r=8\"");
  ExpectRefused("[]", "a list of arms, of which there is one at least, found none");
  ExpectRefused(R"({"method":"full"})", "the file to be an array, found {\"method\":\"full\"}");
  ExpectRefused(R"(["full"])", "[0] to be an object, found \"full\"");
}

}  // namespace
}  // namespace ampgrad::train
