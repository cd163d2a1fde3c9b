#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>

#include "tensor/kernels/kernels.h"
#include "tensor/tensor.h"
#include "tests/support/expect_message.h"

namespace ampgrad {
namespace {

TEST(Shape, CountsAndPrints) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.size(), 24);
  EXPECT_EQ(shape.rows(), 6);
  EXPECT_EQ(shape.cols(), 4);
  EXPECT_EQ(shape.dim(-1), 4);
  EXPECT_EQ(shape.ToString(), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ(Shape{}.ToString(), "[]");
  EXPECT_NE(Shape({2, 3}), Shape({3, 2}));
}

TEST(Shape, RefusesWhatIsNoShape) {
  ExpectMessage<std::invalid_argument>(
      [] {
        Shape({1, 2, 3, 4, 5});
      },
      "[shape] expected at most 4 dimensions, found 5");
  ExpectMessage<std::invalid_argument>([] { Shape({2, -1}); }, "[shape] expected extents >= 0, found -1");
  ExpectMessage<std::invalid_argument>(
      [] {
        Shape({INT64_MAX, 2});
      },
      "[shape] the number of elements does not fit in 63 bits");
}

TEST(Tensor, AbsentOnesHaveNoElements) {
  EXPECT_EQ(Tensor().size(), 0);
  EXPECT_EQ(Tensor::Absent({2, 3}).size(), 0);
  EXPECT_EQ(Tensor::Absent({2, 3}).shape(), Shape({2, 3}));
  EXPECT_TRUE(Tensor::Absent({2, 3}).empty());
}

TEST(Tensor, StartsAsZerosAlignedToACacheLine) {
  const Tensor t({3, 5});
  for (const Real x : t) EXPECT_EQ(x, 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data()) % 64, 0u);
}

TEST(Tensor, CopiesShareAndClonesDoNot) {
  Tensor a = Tensor::FromValues({2}, {1, 2});
  Tensor shared = a, clone = a.Clone();
  a[0] = 7;
  EXPECT_EQ(shared[0], 7);
  EXPECT_EQ(clone[0], 1);
}

TEST(Tensor, ViewsShareStorage) {
  Tensor t = Tensor::FromValues({3, 2}, {1, 2, 3, 4, 5, 6});
  Tensor rows = t.Rows(1, 3);
  EXPECT_EQ(rows.shape(), Shape({2, 2}));
  rows[0] = 9;
  EXPECT_EQ(t.row(1)[0], 9);
  EXPECT_EQ(t.Reshape({6})[2], 9);
  ExpectMessage<std::invalid_argument>([&] { t.Reshape({5}); }, "[reshape] cannot see [3, 2] as [5]");
  ExpectMessage<std::invalid_argument>([&] { t.Rows(2, 4); }, "[rows] rows 2..4 are not within [3, 2]");
}

TEST(Tensor, TransposesByCopy) {
  const Tensor t = kernels::Transposed(Tensor::FromValues({2, 3}, {1, 2, 3, 4, 5, 6}));
  const Real expected[] = {1, 4, 2, 5, 3, 6};
  EXPECT_EQ(t.shape(), Shape({3, 2}));
  for (Index i = 0; i < 6; ++i) EXPECT_EQ(t[i], expected[i]);
}

TEST(Tensor, CutsColumnsByCopy) {
  Tensor t = Tensor::FromValues({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor columns = t.Columns(1, 3);
  t.Fill(0);
  const Real expected[] = {2, 3, 5, 6};
  EXPECT_EQ(columns.shape(), Shape({2, 2}));
  for (Index i = 0; i < 4; ++i) EXPECT_EQ(columns[i], expected[i]);
  ExpectMessage<std::invalid_argument>([&] { t.Columns(2, 4); }, "[columns] columns 2..4 are not within [2, 3]");
}

TEST(Tensor, RefusesAWrongNumberOfValues) {
  ExpectMessage<std::invalid_argument>([] { Tensor::FromValues({2}, {1}); },
                                       "[tensor] expected 2 values for shape [2], found 1");
}

TEST(Tensor, CountsLiveBytes) {
  const Index before = Tensor::LiveBytes();
  {
    const Tensor t({1024});
    const Tensor view = t.Reshape({32, 32});
    EXPECT_EQ(Tensor::LiveBytes() - before, static_cast<Index>(1024 * sizeof(Real)));
  }
  EXPECT_EQ(Tensor::LiveBytes(), before);
}

}  // namespace
}  // namespace ampgrad
