#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "train/study/plans/protocol.h"

namespace ampgrad::train {
namespace {

std::vector<std::string> NamesOf(const std::vector<Arm>& arms) {
  std::vector<std::string> names;
  for (const Arm& arm : arms) names.push_back(arm.name);
  return names;
}

// Width 16, two layers.
std::vector<Arm> Arms(const std::string& protocol) {
  const auto model = TinyGpt(1);
  return ArmsOf(ProtocolOf(protocol), *model, {});
}

TEST(Protocol, HasTheArmsOfItsPaper) {
  const std::string head = "full, last 2 and head";
  EXPECT_EQ(NamesOf(Arms("s62")), (std::vector<std::string>{"full", "full, output projection"}));
  EXPECT_EQ(NamesOf(Arms("s72")), (std::vector<std::string>{"full", "reconstructed K=8"}));
  EXPECT_EQ(NamesOf(Arms("s76")),
            (std::vector<std::string>{"full", head, "reconstructed K=8", "reconstructed K=16"}));  // 32 is beyond d
  EXPECT_EQ(NamesOf(Arms("s78")),
            (std::vector<std::string>{"full", head, "reconstructed K=4", "reconstructed K=8", "reconstructed K=16"}));
}

TEST(Protocol, TrainsWhatItsPaperTrains) {
  const auto model = TinyGpt(1);
  std::vector<Arm> arms = ArmsOf(ProtocolOf("s62"), *model, {});
  std::vector<nn::Matrix*> matrices = MatricesInScope(*model, arms.at(1).method.scope);
  ASSERT_EQ(matrices.size(), 2u);
  for (const nn::Matrix* matrix : matrices) EXPECT_TRUE(matrix->name.ends_with("attn.c_proj.weight")) << matrix->name;
  for (const Arm& arm : Arms("s76")) {
    EXPECT_FALSE(arm.method.scope.all_layers);
    EXPECT_EQ(arm.method.scope.last - arm.method.scope.first, 1);
    EXPECT_EQ(arm.method.scope.head, arm.name == "full, last 2 and head");
    EXPECT_EQ(arm.method.StartIsLossy(), arm.method.method == "amplitude");
  }
  EXPECT_TRUE(Arms("s72").at(1).method.scope.all_layers);
}

TEST(Protocol, TakesThePapersRatesWhereOneWouldBeSearched) {
  std::vector<Arm> arms = Arms("s76");
  arms[1].fixed_lr = 1e-3;
  arms[3].kind = ArmKind::kLayersRemoved;
  TakeRates(arms, PaperRate);
  EXPECT_EQ(arms[0].rates, std::vector<double>{1e-5});
  EXPECT_EQ(arms[1].rates, std::vector<double>{});
  EXPECT_EQ(arms[2].rates, std::vector<double>{5e-4});
  EXPECT_EQ(arms[3].rates, std::vector<double>{});
}

TEST(Protocol, SaysWhatItsPaperLeavesOpen) {
  for (const std::string& name : ProtocolNames()) {
    const std::vector<std::string> lines = OpenChoices(ProtocolOf(name));
    const auto has = [&](const std::string& number) {
      return std::ranges::any_of(lines, [&](const std::string& line) { return line.starts_with(number + " "); });
    };
    for (const char* number : {"P10", "P11", "P12", "P13", "P14", "P16", "P17", "P20", "P21"}) {
      EXPECT_TRUE(has(number)) << name << " " << number;
    }
    EXPECT_EQ(has("P4"), name == "s78") << "S76 says 52 rows of each matrix, S72 takes all";
    EXPECT_EQ(has("P8"), name == "s78") << name;
  }
}

TEST(Protocol, RefusesAnUnknownOne) {
  ExpectMessage<std::invalid_argument>([] { ProtocolOf("s1"); },
                                       "[protocol] expected one of the papers' names, found 's1'");
}

}  // namespace
}  // namespace ampgrad::train
