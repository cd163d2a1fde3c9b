#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tensor/stored_tensor.h"
#include "tests/support/expect_message.h"
#include "tests/support/stored.h"

namespace ampgrad {
namespace {

float FloatOf(uint32_t bits) { return std::bit_cast<float>(bits); }

// Every number of 16 bits, against the definition: 8 bits of exponent at a bias of 127, 7 bits of fraction.
TEST(Bf16, WidensEveryNumberExactly) {
  for (uint32_t x = 0; x <= 0xFFFF; ++x) {
    const int exponent = static_cast<int>(x >> 7 & 0xFF), fraction = static_cast<int>(x & 0x7F);
    const double sign = x >> 15 ? -1 : 1;
    const Real wide = Widen(static_cast<Bf16>(x));
    if (exponent == 0xFF) {
      if (fraction != 0) {
        EXPECT_TRUE(std::isnan(wide)) << x;
      } else {
        EXPECT_EQ(wide, sign * std::numeric_limits<Real>::infinity()) << x;
      }
    } else {
      const double expected =
          exponent == 0 ? std::ldexp(fraction, -126 - 7) : std::ldexp(128 + fraction, exponent - 134);
      EXPECT_EQ(wide, sign * expected) << x;
      EXPECT_EQ(std::signbit(wide), sign < 0) << x;
    }
  }
}

TEST(Bf16, RoundTripIsExact) {
  for (uint32_t x = 0; x <= 0xFFFF; ++x) {
    const float wide = FloatOf(x << 16);
    if (!std::isnan(wide)) {
      EXPECT_EQ(ToBf16(wide), x);
    }
  }
}

TEST(Bf16, RoundsToNearestTiesToEven) {
  EXPECT_EQ(ToBf16(FloatOf(0x3F807FFF)), 0x3F80);  // below the middle
  EXPECT_EQ(ToBf16(FloatOf(0x3F808000)), 0x3F80);  // the middle: down to even
  EXPECT_EQ(ToBf16(FloatOf(0x3F808001)), 0x3F81);
  EXPECT_EQ(ToBf16(FloatOf(0x3F818000)), 0x3F82);  // the middle: up to even
  EXPECT_EQ(ToBf16(FloatOf(0xBF818000)), 0xBF82);
  EXPECT_EQ(ToBf16(std::numeric_limits<float>::max()), 0x7F80);  // beyond the largest: infinity
}

TEST(Bf16, KeepsNaN) {
  EXPECT_TRUE(std::isnan(Widen(ToBf16(FloatOf(0x7F800001)))));
  EXPECT_TRUE(std::isnan(Widen(ToBf16(FloatOf(0xFFFFFFFF)))));
}

double HalfByDefinition(uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 0x1F), fraction = static_cast<int>(bits & 0x3FF);
  const double sign = bits >> 15 ? -1 : 1;
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

TEST(Half, WidensEveryFiniteNumberExactlyAndBack) {
  for (uint32_t x = 0; x <= 0xFFFF; ++x) {
    if ((x >> 10 & 0x1F) == 0x1F) continue;
    const Real wide = Widen(Half{static_cast<uint16_t>(x)});
    EXPECT_EQ(wide, HalfByDefinition(x)) << x;
    EXPECT_EQ(ToHalf(static_cast<float>(wide)).bits, x);
  }
  EXPECT_EQ(Widen(Half{0xFC00}), -std::numeric_limits<Real>::infinity());
  EXPECT_TRUE(std::isnan(Widen(Half{0x7C01})));
}

// Half way between any two neighbours, and a little to either side.
TEST(Half, RoundsToNearestTiesToEven) {
  for (uint32_t x = 0; x < 0x7BFF; ++x) {
    const float middle = static_cast<float>((HalfByDefinition(x) + HalfByDefinition(x + 1)) / 2);  // exact
    EXPECT_EQ(ToHalf(middle).bits, x + (x & 1)) << x;
    EXPECT_EQ(ToHalf(std::nextafter(middle, 0.0f)).bits, x) << x;
    EXPECT_EQ(ToHalf(-std::nextafter(middle, 1e9f)).bits, 0x8000 + x + 1) << x;
  }
  EXPECT_EQ(ToHalf(65519.996f).bits, 0x7BFF);  // the largest, 65504, and what rounds to it
  EXPECT_EQ(ToHalf(65520.0f).bits, 0x7C00);
  EXPECT_EQ(ToHalf(std::numeric_limits<float>::max()).bits, 0x7C00);
  EXPECT_TRUE(std::isnan(Widen(ToHalf(std::nanf("")))));
}

TEST(StoredTensor, WidensAsItsNumbersDo) {
  const Tensor values = Tensor::FromValues({2, 3}, {1, 2, -3, 0, -0.25, 0.5});
  for (const StoredType type : kStoredTypes) {
    const StoredTensor stored = Rounded(values, type);
    EXPECT_EQ(stored.bytes(), 6 * BytesOf(type));
    EXPECT_TRUE(stored.tensor().empty());
    const auto numbers = [](const Tensor& t) { return std::vector<Real>(t.begin(), t.end()); };
    EXPECT_EQ(stored.Widened().shape(), (Shape{2, 3}));
    EXPECT_EQ(numbers(stored.Widened()), numbers(values));
    EXPECT_EQ(numbers(stored.WidenedRows({1, 0, 1})), (std::vector<Real>{0, -0.25, 0.5, 1, 2, -3, 0, -0.25, 0.5}));
    EXPECT_EQ(stored.WidenedColumns({2, 0}).shape(), (Shape{2, 2}));
    EXPECT_EQ(numbers(stored.WidenedColumns({2, 0})), (std::vector<Real>{-3, 0.5, 1, 0}));
  }
}

TEST(StoredTensor, OfATensorSharesItsStorage) {
  const Tensor values = Tensor::FromValues({1, 2}, {3, 4});
  const StoredTensor stored(values);
  EXPECT_EQ(stored.data(), values.data());
  EXPECT_EQ(stored.Widened().data(), values.data());
  EXPECT_EQ(stored.type(), kRealType);
}

// By hand: rows of the transpose are columns, for numbers, for blocks of one half each, and for a Tensor.
TEST(StoredTensor, TransposesInPlace) {
  Tensor values({2, 32});
  for (Index i = 0; i < values.size(); ++i) values[i] = static_cast<Real>(i < 32 ? 127 : i - 32 - 16);
  for (const StoredTensor& stored : {StoredTensor(values), Rounded(values, StoredType::kBf16),
                                     Rounded(values, StoredType::kQ8_0), Rounded(values, StoredType::kF32)}) {
    const StoredTensor transpose = stored.Transposed();
    EXPECT_EQ(transpose.shape(), (Shape{32, 2}));
    EXPECT_EQ(transpose.data(), stored.data());
    EXPECT_TRUE(transpose.tensor().empty());
    EXPECT_EQ(transpose.bytes(), stored.bytes());
    const Tensor wide = stored.Widened(), turned = transpose.Widened();
    const Tensor rows = transpose.WidenedRows({31, 0, 31}), columns = transpose.WidenedColumns({1});
    ASSERT_EQ(turned.shape(), (Shape{32, 2}));
    ASSERT_EQ(columns.shape(), (Shape{1, 32}));
    for (Index j = 0; j < 32; ++j) {
      for (Index i = 0; i < 2; ++i) EXPECT_EQ(turned.row(j)[i], wide.row(i)[j]);
      EXPECT_EQ(columns[j], wide.row(1)[j]);
    }
    for (Index i = 0; i < 2; ++i) EXPECT_EQ(rows.row(0)[i], wide.row(i)[31]);
    EXPECT_EQ(rows.row(1)[0], wide.row(0)[0]);
    EXPECT_EQ(transpose.Transposed().Widened().shape(), stored.shape());
    EXPECT_FALSE(transpose.Transposed().transposed());
  }
  ExpectMessage<std::invalid_argument>([] { StoredTensor(Tensor({3})).Transposed(); },
                                       "[stored_tensor] expected a matrix to transpose, found the shape [3]");
}

TEST(StoredTensor, SaysWhatLiesInAFileAndWhatInMemory) {
  const Index before = Tensor::LiveBytes();
  const StoredTensor copy = Rounded(Tensor({4, 64}), StoredType::kQ8_0);
  EXPECT_EQ(copy.MappedBytes(), 0);
  EXPECT_GE(Tensor::LiveBytes() - before, 4 * 2 * 34);
  const StoredTensor mapped(StoredType::kQ8_0, {4, 64}, std::shared_ptr<const void>(copy.Widened().storage()));
  EXPECT_EQ(mapped.MappedBytes(), 4 * 2 * 34);
  EXPECT_EQ(mapped.Transposed().MappedBytes(), 4 * 2 * 34);
  EXPECT_EQ(StoredTensor(Tensor({2, 2})).MappedBytes(), 0);
}

TEST(StoredTensor, RefusesNumbersWiderThanReal) {
  if (sizeof(Real) == sizeof(double)) return;  // nothing is wider
  ExpectMessage<std::invalid_argument>([] { StoredTensor(StoredType::kF64, {1}, std::make_shared<double>(1)); },
                                       "[stored_tensor] expected numbers of at most 4 bytes, found 8");
}

}  // namespace
}  // namespace ampgrad
