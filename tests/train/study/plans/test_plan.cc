#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "train/study/plans/plan.h"

namespace ampgrad::train {
namespace {

Arm Find(const std::vector<Arm>& arms, const std::string& name) {
  const auto found = std::ranges::find(arms, name, &Arm::name);
  EXPECT_NE(found, arms.end()) << name;
  return found == arms.end() ? arms.front() : *found;
}

// d = 16: K = 1, 2, 4, 8 and 16 from both starts.
TEST(Plan, TheFrontierGoesUpToTheWidth) {
  const auto model = TinyGpt(1);
  const std::vector<Arm> arms = ArmsOf("frontier", *model, {});
  ASSERT_EQ(arms.size(), 1u + 2 * 5 + 2);
  EXPECT_EQ(arms.front().name, "full");
  EXPECT_EQ(Find(arms, "exact K=8").method.k, 8);
  EXPECT_EQ(Find(arms, "reconstructed K=1").method.start, ct::Start::kReconstructed);
  EXPECT_TRUE(Find(arms, "mean row alone").IsLevel());
  EXPECT_TRUE(Find(arms, "layers removed").IsLevel());
}

TEST(Plan, AllHasEachArmOnceWithItsQuestions) {
  const auto model = TinyGpt(1);
  const std::vector<Arm> arms = ArmsOf("all", *model, {});
  std::set<std::string> names;
  for (const Arm& arm : arms) {
    EXPECT_TRUE(names.insert(arm.name).second) << arm.name;
    EXPECT_FALSE(arm.groups.empty());
  }
  EXPECT_EQ(Find(arms, "exact K=8").groups,
            (std::vector<std::string>{"frontier", "bases", "peers", "starts", "length", "rates", "freezing"}));
  for (const std::string& plan : PlanNames()) {
    for (const Arm& arm : ArmsOf(plan, *model, {})) {
      EXPECT_TRUE(names.contains(arm.name)) << plan << " " << arm.name;
      EXPECT_EQ(arm.groups, Find(arms, arm.name).groups) << plan << " " << arm.name;  // whichever plan runs it
    }
  }
}

// A layer of GPT-2 with d = 16 has 3·16 + 16 + 4·16 + 4·16 = 192 rows; a rank takes (16 + 48) + (16 + 16) + 2·(16 + 64)
// = 256 numbers of it. So 8 scores a row are as many as rank 6.
TEST(Plan, MatchesLoraToTheCountOfScores) {
  const auto model = TinyGpt(1);
  EXPECT_EQ(Find(ArmsOf("peers", *model, {}), "lora r=6").method.rank, 6);
}

TEST(Plan, TheOutputProjectionIsReadBothWays) {
  const auto model = TinyGpt(1);
  const std::vector<Arm> arms = ArmsOf("scope", *model, {});
  const Arm stored = Find(arms, "exact K=8, output projection");
  const Arm transposed = Find(arms, "exact K=8, output projection transposed");
  EXPECT_EQ(stored.method.rows, ct::RowsPolicy::kBlocks);
  EXPECT_EQ(transposed.method.rows, ct::RowsPolicy::kResidual);
  EXPECT_EQ(stored.method.scope, transposed.method.scope);
}

TEST(Plan, KeepsTheScopeOfTheStudy) {
  const auto model = TinyGpt(1);
  const Scope last = {false, 1, 1};
  for (const Arm& arm : ArmsOf("bases", *model, {.scope = last})) EXPECT_EQ(arm.method.scope.first, 1) << arm.name;
  const Arm head = Find(ArmsOf("scope", *model, {}), "full, head");
  EXPECT_TRUE(MatricesInScope(*model, head.method.scope).empty());
  EXPECT_TRUE(head.method.scope.head);
}

TEST(Plan, ALengthThatIsTheStudysHasNoNameOfItsOwn) {
  const auto model = TinyGpt(1);
  const std::vector<Arm> arms = ArmsOf("length", *model, {.steps = 50});
  EXPECT_EQ(Find(arms, "full").steps, 0);
  EXPECT_EQ(Find(arms, "exact K=8, 500 steps").steps, 500);
  EXPECT_EQ(Find(arms, "full, 5 steps").steps, 5);
}

TEST(Plan, RefusesAnUnknownOne) {
  const auto model = TinyGpt(1);
  ExpectMessage<std::invalid_argument>([&] { ArmsOf("none", *model, {}); },
                                       "[plan] expected one of the plans' names, found 'none'");
}

}  // namespace
}  // namespace ampgrad::train
