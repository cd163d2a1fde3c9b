#include <gtest/gtest.h>

#include "models/gpt.h"
#include "models/llama.h"
#include "tensor/io/mapped_zeros.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "train/counts/zero_weights.h"
#include "train/memory_plan.h"

namespace ampgrad::train {
namespace {

std::unique_ptr<models::LanguageModel> Prepared(std::unique_ptr<models::LanguageModel> model) {
  const auto basis = std::make_shared<const ct::Basis>(ct::Basis{Tensor({4, 16}), Tensor({16}), {}, 0});
  Prepare(*model, {.method = "amplitude", .k = 4, .chain = nn::Chain::kFactored}, basis);
  return model;
}

void ExpectSamePlan(const MemoryPlan& found, const MemoryPlan& expected) {
  EXPECT_EQ(found.moments, expected.moments);
  EXPECT_EQ(found.logits, expected.logits);
  EXPECT_EQ(found.fixed, expected.fixed);
  EXPECT_EQ(found.per_token, expected.per_token);
}

// A step takes as much as one of the same model with numbers.
TEST(ZeroWeights, TakeTheMemoryOfAStep) {
  SetNumThreads(1);
  auto gpt = std::make_unique<models::Gpt>(TinyConfig(), models::Vectors::kAbsent);
  auto llama = std::make_unique<models::Llama>(LittleLlamaConfig(), models::Vectors::kAbsent);
  UseZeroWeights(*gpt, StoredType::kBf16);
  UseZeroWeights(*llama, StoredType::kBf16);
  std::vector<std::unique_ptr<models::LanguageModel>> shapes;
  shapes.push_back(std::move(gpt));
  shapes.push_back(std::move(llama));
  std::vector<std::unique_ptr<models::LanguageModel>> real;
  real.push_back(TinyGpt(1));
  real.push_back(LittleLlama(1));
  for (size_t i = 0; i < shapes.size(); ++i) {
    HoldAtHalfWidth(*real[i]);
    const auto expected = Prepared(std::move(real[i])), found = Prepared(std::move(shapes[i]));
    ExpectSamePlan(PlanMemory(*found), PlanMemory(*expected));
  }
  SetNumThreads(0);
}

TEST(ZeroWeights, RowsThatFillNoBlockAreHalves) {
  models::Llama model(LittleLlamaConfig(), models::Vectors::kAbsent);  // width 16, and 24 within
  UseZeroWeights(model, StoredType::kQ8_0);
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    EXPECT_EQ(matrix->form->Merged().type(), StoredType::kF16) << matrix->name;
  }
}

// By hand: of 2 layers, width 64, queries 64 x 64 and keys 32 x 64 of 34 bytes in 32 numbers; all linear maps in NF4.
TEST(ZeroWeights, SayWhatAReaderCopies) {
  models::LlamaConfig config = LittleLlamaConfig();
  config.hidden_size = 64, config.intermediate_size = 96;
  config.num_attention_heads = 4, config.num_key_value_heads = 2, config.head_dim = 16;
  config.num_hidden_layers = 2;
  const auto bytes = [&](StoredType type) {
    models::Llama model(config, models::Vectors::kAbsent);
    UseZeroWeights(model, type);
    return BytesToCopy(model, type);
  };
  EXPECT_EQ(bytes(StoredType::kQ8_0), 2 * (64 + 32) * 2 * 34);
  EXPECT_EQ(bytes(StoredType::kNf4), 2 * ((64 + 32 + 32 + 64 + 96 + 96) * 2 + 64 * 3) * 20);
  EXPECT_EQ(bytes(StoredType::kBf16), 0);
  models::Llama model(config, models::Vectors::kAbsent);
  UseZeroWeights(model, StoredType::kNf4);
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    const bool linear = matrix->kind == nn::MatrixKind::kBlock;
    EXPECT_EQ(matrix->form->Merged().type(), linear ? StoredType::kNf4 : StoredType::kBf16) << matrix->name;
  }
}

TEST(MappedZeros, AreZerosWithoutMemory) {
  constexpr Index kBytes = Index{1} << 40;
  const std::shared_ptr<const void> zeros = io::MapZeros(kBytes);
  const char* bytes = static_cast<const char*>(zeros.get());
  for (const Index at : {Index{0}, kBytes / 2, kBytes - 1}) EXPECT_EQ(bytes[at], 0);
  ExpectMessage<std::runtime_error>([] { io::MapZeros(Index{1} << 62); },
                                    "cannot map 4611686018427387904 bytes of zeros: Cannot allocate memory");
}

}  // namespace
}  // namespace ampgrad::train
