#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/audit/kernel_audit.h"
#include "tests/audit/model_audit.h"
#include "tests/support/small_models.h"
#include "train/methods/method.h"

namespace ampgrad::audit {
namespace {

train::Batch TinyBatch() { return {6, RandomIds(12, 23, 1), RandomIds(12, 23, 2)}; }

bool AllPass(const std::vector<LedgerEntry>& ledger) {
  return std::all_of(ledger.begin(), ledger.end(), [](const LedgerEntry& e) { return e.Passed(); });
}

// A model whose last gradient is off by a factor: what a wrong backward anywhere looks like from below.
class WrongGpt : public models::Gpt {
 public:
  WrongGpt(const models::GptConfig& config, Real factor) : Gpt(config), factor_(factor) {}

  Var Head(const Var& x) override {
    const Var logits = Gpt::Head(x);
    return x.tape->Record("wrong", logits.value, {&logits}, [factor = factor_](const Tensor& dy, InputGrads& d) {
      for (Index i = 0; i < dy.size(); ++i) (*d.AddWithin(0))[i] += factor * dy[i];
    });
  }

 private:
  Real factor_;
};

class AuditModelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (sizeof(Real) == 4)
      GTEST_SKIP() << "differences of float losses are mostly rounding: the audit is of the double build";
  }
};

TEST_F(AuditModelTest, CoversEveryTensor) {
  const auto model = TinyGpt(5);
  const std::vector<LedgerEntry> ledger = AuditModel(*model, TinyBatch(), 1);
  const size_t dense = models::Parameters(*model).size(), matrices = 8;
  EXPECT_EQ(ledger.size(), 2 * dense);  // dense, then in amplitude form, where 8 score tensors stand for 8 matrices
  EXPECT_TRUE(AllPass(ledger));
  EXPECT_EQ(std::count_if(ledger.begin(), ledger.end(), [](const auto& e) { return e.trained; }),
            static_cast<std::ptrdiff_t>(dense + matrices));
  for (const LedgerEntry& entry : ledger) {
    EXPECT_TRUE(!entry.trained || entry.above_floor >= 1) << entry.tensor;
    EXPECT_TRUE(entry.trained || entry.gradient_norm == 0) << entry.tensor;
  }
}

// The trained factors of each form, away from where they start, with all else that the model has.
TEST_F(AuditModelTest, CoversTheFactorsOfEveryForm) {
  for (const char* method : {"lora", "lora-fa", "pissa", "dora", "core", "vera", "sparse"}) {
    SCOPED_TRACE(method);
    const auto model = TinyGpt(5);
    train::Prepare(*model, {.method = method, .chain = nn::Chain::kFactored, .rank = 2, .share = 0.05});
    uint64_t stream = 0;
    std::vector<std::string> factors;
    for (Param* param : models::TrainableParameters(*model)) {
      const Tensor noise = Random(9, stream++).NormalTensor(param->value.shape(), 0.3);
      for (Index i = 0; i < noise.size(); ++i) param->value[i] += noise[i];
      factors.push_back(param->name);
    }
    HoldConstants(*model);
    const std::vector<LedgerEntry> ledger = AuditModel(*model, TinyBatch(), 1);
    EXPECT_TRUE(AllPass(ledger));
    for (const std::string& name : factors) {
      const auto entry = std::find_if(ledger.begin(), ledger.end(), [&](const auto& e) { return e.tensor == name; });
      ASSERT_NE(entry, ledger.end()) << name;
      EXPECT_TRUE(entry->trained && entry->above_floor >= 1) << name;
    }
  }
}

// Without them held, the loss moves with the norms too, and the audit must see that.
TEST_F(AuditModelTest, SeesThatDoraTakesItsNormsForConstants) {
  const auto model = TinyGpt(5);
  train::Prepare(*model, {.method = "dora", .chain = nn::Chain::kFactored, .rank = 2});
  for (Param* param : models::TrainableParameters(*model)) {
    for (Real& x : param->value) x += Real(0.1);
  }
  EXPECT_FALSE(AllPass(AuditModel(*model, TinyBatch(), 1)));
}

TEST_F(AuditModelTest, SeesAGradientOffByATenThousandth) {
  WrongGpt model(TinyConfig(), Real(1.0001));
  Randomise(model, 5);
  const std::vector<LedgerEntry> ledger = AuditModel(model, TinyBatch(), 1);
  EXPECT_FALSE(AllPass(ledger));
  WrongGpt right(TinyConfig(), 1);
  Randomise(right, 5);
  EXPECT_TRUE(AllPass(AuditModel(right, TinyBatch(), 1)));
}

TEST_F(AuditModelTest, LeavesTheModelAsItWas) {
  const auto model = TinyGpt(5);
  const Tensor before = models::Parameters(*model)[0]->value.Clone();
  AuditModel(*model, TinyBatch(), 1);
  const Tensor after = models::Parameters(*model)[0]->value;
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST(LedgerEntry, FailsWithoutCoverage) {
  LedgerEntry entry;
  entry.bound = 1e-5;
  entry.gradient_norm = 1;
  EXPECT_FALSE(entry.Passed());  // nothing above the floor
  entry.above_floor = 1;
  EXPECT_TRUE(entry.Passed());
  entry.entry_error = std::nan("");
  EXPECT_FALSE(entry.Passed());
  entry.trained = false;
  EXPECT_FALSE(entry.Passed());  // frozen, yet with a gradient
}

TEST(AuditKernels, StayWithinTheirDerivedBounds) {
  if (sizeof(Real) == 8) GTEST_SKIP() << "the definitions, in double, would be rounded like the kernels";
  for (const KernelFinding& finding : AuditKernels(1)) {
    EXPECT_TRUE(finding.Passed()) << finding.kernel << " on " << finding.target << ": " << finding.share;
    EXPECT_GT(finding.share, 0) << finding.kernel << ": a bound that nothing comes near would prove nothing";
  }
}

}  // namespace
}  // namespace ampgrad::audit
