#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "nn/modules.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/simd/tiles.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/simd_sweep.h"
#include "tests/support/small_models.h"
#include "tests/support/stored.h"

/// Weights that stay in their stored type: every use gives the same bits as with a widened copy.
namespace ampgrad {
namespace {

using ops::Layout;

StoredTensor RandomStored(Shape shape, uint64_t seed, StoredType type = StoredType::kBf16) {
  if (HasBlocks(type)) return RandomBlocks(type, shape, seed);
  return Rounded(Random(seed, 0).NormalTensor(shape, 1), type);
}

// A product with the stored right side has the bits of a product with a widened copy. Tiles take bfloat16 as one part
// where they take a float as three. They do not take half precision, which is compared on the other targets.
void CheckStoredProduct(StoredType type) {
  ForEachSimdTarget([type] {
    if (type == StoredType::kF16 && kernels::TilesAllowed()) return;
    const Index block = BlockOf(type).numbers;
    const auto whole = [block](Index count) { return (count + block - 1) / block * block; };
    for (const Index m : {1, 14, 31, 70}) {
      for (const Index some_n : {1, 15, 32, 61, 70, 150}) {
        for (const Index some_k : {1, 19, 64, 67, 300}) {
          for (const bool transposed : {false, true}) {
            const Index n = transposed ? some_n : whole(some_n), k = transposed ? whole(some_k) : some_k;
            const StoredTensor b = RandomStored(transposed ? Shape{n, k} : Shape{k, n}, 5, type);
            const Tensor a = Random(1, 1).NormalTensor({m, k}, 1), wide = b.Widened();
            const Tensor start = Random(1, 2).NormalTensor({m, n}, 1);
            Tensor expected({m, n}), c({m, n});
            const kernels::Init init{start.data(), n};
            kernels::Gemm(m, n, k, {a.data(), k}, {wide.data(), wide.cols(), transposed}, init, expected.data(), n);
            kernels::Gemm(m, n, k, {a.data(), k}, kernels::OperandOf(b, transposed), init, c.data(), n);
            EXPECT_TRUE(SameBits(c, expected)) << m << "x" << n << "x" << k << (transposed ? " Bᵀ" : " B");
            kernels::Gemm(m, n, k, {a.data(), k}, kernels::OperandOf(b.Transposed(), !transposed), init, c.data(), n);
            EXPECT_TRUE(SameBits(c, expected)) << m << "x" << n << "x" << k << " of the transpose";
          }
        }
      }
    }
  });
}

TEST(Gemm, AStoredRightSideGivesTheBitsOfAWidenedOne) {
  for (const StoredType type : kStoredTypes) CheckStoredProduct(type);
}

TEST(Gemm, ARightSideOfBlocksGivesTheBitsOfAWidenedOne) {
  for (const StoredType type : kBlockTypes) {
    SCOPED_TRACE(ToString(type));
    CheckStoredProduct(type);
  }
}

TEST(NaiveGemm, ReadsAStoredRightSide) {
  for (const StoredType type : kStoredTypes) {
    const StoredTensor b = RandomStored({4, 3}, 6, type);
    const Tensor a = Random(1, 1).NormalTensor({2, 4}, 1), wide = b.Widened();
    Tensor expected({2, 3}), c({2, 3});
    kernels::NaiveGemm(2, 3, 4, {a.data(), 4}, {wide.data(), 3}, {}, expected.data(), 3);
    kernels::NaiveGemm(2, 3, 4, {a.data(), 4}, kernels::OperandOf(b, false), {}, c.data(), 3);
    EXPECT_TRUE(SameBits(c, expected));
  }
  for (const StoredType type : kBlockTypes) {
    for (const bool transposed : {false, true}) {
      const StoredTensor b = RandomStored(transposed ? Shape{3, 512} : Shape{4, 256}, 6, type);
      const Index n = transposed ? 3 : 256, k = transposed ? 512 : 4;
      const Tensor a = Random(1, 1).NormalTensor({2, k}, 1), wide = b.Widened();
      Tensor expected({2, n}), c({2, n});
      kernels::NaiveGemm(2, n, k, {a.data(), k}, {wide.data(), wide.cols(), transposed}, {}, expected.data(), n);
      kernels::NaiveGemm(2, n, k, {a.data(), k}, kernels::OperandOf(b, transposed), {}, c.data(), n);
      EXPECT_TRUE(SameBits(c, expected)) << ToString(type);
    }
  }
}

// Output and gradients of x and the bias, against Linear on the widened weight.
TEST(FrozenLinear, GivesTheBitsOfLinear) {
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    const StoredTensor w = RandomStored(layout == Layout::kOutIn ? Shape{7, 5} : Shape{5, 7}, 3);
    const auto run = [&](bool frozen, Param& x, Param& bias) {
      Tape tape;
      const Var b = tape.Leaf(bias), x_var = tape.Leaf(x);
      const Var y =
          frozen ? ops::FrozenLinear(x_var, w, layout, &b) : ops::Linear(x_var, tape.Constant(w.Widened()), layout, &b);
      tape.Backward(MeanCrossEntropy(y, {1, 6, 0, ops::kIgnored}));
      return y.value;
    };
    Param x{"x", Random(1, 1).NormalTensor({4, 5}, 1), {}}, bias{"b", Random(1, 2).NormalTensor({7}, 1), {}};
    Param x_too = x, bias_too = bias;
    EXPECT_TRUE(SameBits(run(true, x, bias), run(false, x_too, bias_too)));
    EXPECT_TRUE(SameBits(x.grad, x_too.grad));
    EXPECT_TRUE(SameBits(bias.grad, bias_too.grad));
  }
}

TEST(FrozenLinear, RejectsWrongShapes) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 4})), bias = tape.Constant(Tensor({2}));
  ExpectMessage<std::invalid_argument>(
      [&] {
        ops::FrozenLinear(x, RandomStored({3, 5}, 1), Layout::kOutIn, nullptr);
      },
      "[frozen_linear] expected x [N, in], W [out, in], found x [2, 4], W [3, 5]");
  ExpectMessage<std::invalid_argument>(
      [&] {
        ops::FrozenLinear(x, RandomStored({3, 4}, 1), Layout::kInOut, nullptr);
      },
      "[frozen_linear] expected x [N, in], W [in, out], found x [2, 4], W [3, 4]");
  ExpectMessage<std::invalid_argument>(
      [&] {
        ops::FrozenLinear(x, RandomStored({3, 4}, 1), Layout::kOutIn, &bias);
      },
      "[frozen_linear] expected b [out], found W [3, 4], b [2]");
}

TEST(FrozenRows, AreTheRowsOfTheTable) {
  const StoredTensor table = RandomStored({5, 3}, 2);
  const Tensor wide = table.Widened(), rows = ops::FrozenRows(table, {4, 0, 4});
  ASSERT_EQ(rows.shape(), (Shape{3, 3}));
  EXPECT_TRUE(SameBits(rows.Rows(0, 1), wide.Rows(4, 5)));
  EXPECT_TRUE(SameBits(rows.Rows(1, 2), wide.Rows(0, 1)));
  EXPECT_TRUE(SameBits(rows.Rows(2, 3), wide.Rows(4, 5)));
  ExpectMessage<std::invalid_argument>(
      [&] {
        ops::FrozenRows(table, {0, 5});
      },
      "[frozen_rows] expected ids in 0..4, found 5 at position 1");
}

// A model whose matrices are all frozen at half width, and one with the same values as dense matrices.
struct Twins {
  Twins() : half(TinyGpt(3)) {
    for (nn::Matrix* matrix : half->Parts().matrices) {
      matrix->form = std::make_unique<nn::Frozen>(RandomStored(matrix->StoredShape(), 7), matrix->layout);
    }
    wide = half->Clone();
    for (nn::Matrix* matrix : wide->Parts().matrices) matrix->MakeTrainable();
  }
  std::unique_ptr<models::LanguageModel> half, wide;
};

TEST(Frozen, AModelComputesAsItsWidenedTwin) {
  const Twins twins;
  const std::vector<int> ids = RandomIds(16, 23, 1), targets = RandomIds(16, 23, 2);
  const auto gradients = [&](models::LanguageModel& model) {
    for (nn::Matrix* matrix : model.Parts().matrices) {
      for (const nn::FormPart& part : matrix->form->Parts()) part.param->trainable = false;
    }
    Tape tape;
    const Var logits = model.Logits(tape, ids, 8);
    tape.Backward(MeanCrossEntropy(logits, targets));
    return logits.value;
  };
  EXPECT_TRUE(SameBits(gradients(*twins.half), gradients(*twins.wide)));
  const nn::Parts half = twins.half->Parts(), wide = twins.wide->Parts();
  for (size_t i = 0; i < half.vectors.size(); ++i) {
    EXPECT_TRUE(SameBits(half.vectors[i]->grad, wide.vectors[i]->grad)) << half.vectors[i]->name;
  }
}

TEST(Frozen, HasNoParametersUntilItTrains) {
  const Twins twins;
  EXPECT_EQ(models::CountParameters(*twins.half), models::CountParameters(*twins.wide));
  EXPECT_LT(models::CountParameters(models::Parameters(*twins.half)), models::CountParameters(*twins.half));
  models::SetTrainable(*twins.half, true);
  EXPECT_EQ(models::CountParameters(models::TrainableParameters(*twins.half)), models::CountParameters(*twins.half));
  for (nn::Matrix* matrix : twins.half->Parts().matrices) {
    EXPECT_TRUE(
        SameBits(matrix->form->Merged().Widened(), FindMatrix(*twins.wide, matrix->name)->form->Merged().Widened()));
  }
}

TEST(Frozen, AClonesNumbersLieWhereTheyLay) {
  const Twins twins;
  const auto copy = twins.half->Clone();
  for (nn::Matrix* matrix : copy->Parts().matrices) {
    EXPECT_FALSE(matrix->HasParameters());
    EXPECT_EQ(matrix->form->Merged().data(), FindMatrix(*twins.half, matrix->name)->form->Merged().data());
  }
}

}  // namespace
}  // namespace ampgrad
