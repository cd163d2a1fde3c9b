#include <gtest/gtest.h>

#include <string>

#include "models/synth.h"
#include "tests/support/command_line.h"
#include "train/report/columns.h"

/// `ampgrad count` from end to end.
namespace ampgrad::train {
namespace {

class CommandCount : public CommandLine {
 protected:
  void SetUp() override {}  // no weights are needed

  nlohmann::json Json(const Words& more) const {
    const Result result = ExpectRuns(Join({"count", "--json", Path("count.json")}, more));
    EXPECT_EQ(Sentences(result), Words{});
    for (const std::string& line : Lines(result.out)) EXPECT_LE(report::Width(line), report::kColumns) << line;
    return nlohmann::json::parse(Get(Path("count.json")));
  }
};

/// Whether a line of `out` begins with `label` and ends with `value`.
bool Shows(const std::string& out, const std::string& label, const std::string& value) {
  for (const std::string& line : Lines(out)) {
    if (line.rfind("  " + label, 0) == 0 && line.ends_with(" " + value)) return true;
  }
  return false;
}

TEST_F(CommandCount, PhotonicAsItsPaperCountsIt) {
  const Result result = ExpectRuns({"count", "--preset", "photonic", "--rows", "width", "--k", "8"});
  EXPECT_TRUE(Shows(result.out, "rows of width d", "46,398")) << result.out;
  EXPECT_TRUE(Shows(result.out, "scores S", "371,184"));
  EXPECT_TRUE(Shows(result.out, "unique parameters", "10,291,456"));
  EXPECT_TRUE(Shows(result.out, "state-dict elements: these", "16,230,400"));
  EXPECT_TRUE(Shows(result.out, "state-dict elements (tied copies, masks)", "2.287 %"));
  EXPECT_TRUE(Shows(result.out, "decomposed matrices / scores, basis and mean row", "31.8 ×"));
  EXPECT_NE(result.out.find("\"Effective parameters\": a product of counts, not measured\n"), std::string::npos);
  EXPECT_NE(result.out.find("vocabulary of 256 bytes"), std::string::npos);  // the other preset of this name
}

TEST_F(CommandCount, WritesJson) {
  const nlohmann::json json =
      Json({"--preset", "tinyllama", "--layers", "last:2", "--k", "4,8,16,32,64", "--rank", "64"});
  const nlohmann::json& counts = json.at("counts");
  EXPECT_EQ(counts.at("rows"), 2 * 21'504);
  EXPECT_EQ(counts.at("unique_parameters"), 1'100'048'384);
  ASSERT_EQ(counts.at("k").size(), 5u);
  EXPECT_EQ(counts.at("k")[4].at("scores"), 2'752'512);
  for (const nlohmann::json& share : counts.at("k")[3].at("trained_shares")) {
    EXPECT_FALSE(share.at("denominator").get<std::string>().empty());
  }
  EXPECT_EQ(counts.at("lora")[0].at("blocks"), 4'587'520);
  const nlohmann::json& effective = counts.at("k")[4].at("effective_parameters");
  EXPECT_EQ(effective.at("measured"), false);
  EXPECT_NEAR(effective.at("factors")[1].get<double>(), 1'100'048'384.0 / 2'752'512, 1e-9);
  EXPECT_NEAR(counts.at("k")[4].at("lora_rank_of_as_many").get<double>(), 38.4, 0.05);
  EXPECT_FALSE(json.contains("papers"));
}

TEST_F(CommandCount, ReadsAModelWithoutWeights) {
  fs::create_directory(dir() / "model");
  Put(Path("model/config.json"), models::SynthPreset("tiny").config);
  const nlohmann::json counts = Json({"--model", Path("model")}).at("counts");
  EXPECT_EQ(counts.at("unique_parameters"), 125'248);  // as synth says of the model that it writes
  EXPECT_EQ(counts.at("k").size(), 2u);
}

TEST_F(CommandCount, LeavesOutDefaultKsOverTheWidth) {
  fs::create_directory(dir() / "model");
  for (const auto& [width, ks] : std::vector<std::pair<int, std::vector<int>>>{{32, {8}}, {4, {4}}}) {
    Put(Path("model/config.json"),
        R"({"model_type":"gpt2","n_head":2,"n_layer":2,"n_embd":)" + std::to_string(width) + "}");
    const nlohmann::json counts = Json({"--model", Path("model")}).at("counts");
    ASSERT_EQ(counts.at("k").size(), ks.size());
    EXPECT_EQ(counts.at("k")[0].at("k"), ks[0]);
  }
}

TEST_F(CommandCount, PapersNeedNoModel) {
  const nlohmann::json json = Json({"--papers"});
  EXPECT_FALSE(json.contains("counts"));
  EXPECT_GT(json.at("papers").at("groups").size(), 3u);
  EXPECT_TRUE(Json({"--papers", "--preset", "gpt2"}).contains("counts"));
}

TEST_F(CommandCount, RefusesWhatCannotBeCounted) {
  const auto count = [](const Words& more) { return Join({"count"}, more); };
  ExpectFails(2, count({}), "expected one of --model, --preset and --papers, found none");
  ExpectFails(2, count({"--preset", "gpt2", "--model", Path("m")}), "expected one of --model and --preset, found both");
  ExpectFails(2, count({"--preset", "huge"}), "expected --preset to be one of photonic, gpt2, gpt2-xl, tinyllama, ");
  ExpectFails(2, count({"--preset", "photonic", "--k", "257"}), "expected --k to be ");
  ExpectFails(2, count({"--preset", "photonic", "--k", "0"}), "found '0'");
  ExpectFails(2, count({"--preset", "photonic", "--rank", "257"}), "1..256, found '257'");
  ExpectFails(2, count({"--preset", "photonic", "--rows", "some"}),
              "expected --rows to be one of blocks, width, all, residual, found 'some'");
  ExpectFails(2, count({"--preset", "photonic", "--layers", "first"}),
              "--layers: expected all, last:N, A-B or A, found 'first'");
  ExpectFails(1, count({"--preset", "photonic", "--layers", "last:9"}), "--layers last:9: the model has 8 layers");
  ExpectFails(1, count({"--model", Path("none")}), Path("none") + ": no such model directory or GGUF file");
  ExpectFails(1, count({"--model", dir().string()}), Path("config.json") + ": no such file");
}

}  // namespace
}  // namespace ampgrad::train
