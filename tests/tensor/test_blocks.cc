#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/blocks.h"
#include "tensor/io/finite.h"
#include "tensor/stored_tensor.h"
#include "tests/reference/blocks.h"
#include "tests/support/expect_message.h"
#include "tests/support/stored.h"

/// Blocks of quantised numbers, against their description.
namespace ampgrad {
namespace {

TEST(Blocks, HaveTheBytesOfTheirDescription) {
  const std::vector<Index> bytes = {34, 18, 20, 22, 24, 144, 176, 210, 20};
  const std::vector<std::string> names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "NF4"};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const StoredType type = kBlockTypes[i];
    EXPECT_EQ(ToString(type), names[i]);
    EXPECT_EQ(BytesOf(type), bytes[i]) << names[i];
    EXPECT_EQ(BlockOf(type).numbers, i >= 5 && i < 8 ? 256 : 32) << names[i];
    EXPECT_EQ(RandomBlocks(type, {3, 2, 256}, 1).bytes(), 6 * bytes[i] * 256 / BlockOf(type).numbers) << names[i];
  }
}

// Random bytes: scales of every size and sign, zeros and numbers below the normal ones among them.
TEST(Blocks, WidenAsDescribed) {
  for (const StoredType type : kBlockTypes) {
    SCOPED_TRACE(ToString(type));
    const StoredTensor x = RandomBlocks(type, {40, 512}, 3, false);
    const std::vector<double> expected = reference::WidenAll(x);
    const Tensor wide = x.Widened();
    ASSERT_EQ(static_cast<size_t>(wide.size()), expected.size());
    for (Index i = 0; i < wide.size(); ++i) ASSERT_EQ(wide[i], static_cast<Real>(expected[i])) << i;
  }
}

TEST(Blocks, WidenRowsAndColumns) {
  for (const StoredType type : kBlockTypes) {
    SCOPED_TRACE(ToString(type));
    const StoredTensor x = RandomBlocks(type, {5, 512}, 4);
    const Tensor wide = x.Widened();
    const std::vector<Index> rows = {4, 0, 4}, columns = {511, 0, 1, 33, 32, 300};
    const Tensor some_rows = x.WidenedRows(rows), some_columns = x.WidenedColumns(columns);
    ASSERT_EQ(some_rows.shape(), (Shape{3, 512}));
    ASSERT_EQ(some_columns.shape(), (Shape{6, 5}));
    for (Index i = 0; i < 3; ++i) EXPECT_TRUE(std::equal(wide.row(rows[i]), wide.row(rows[i] + 1), some_rows.row(i)));
    for (Index i = 0; i < 6; ++i) {
      for (Index r = 0; r < 5; ++r) EXPECT_EQ(some_columns.row(i)[r], wide.row(r)[columns[i]]);
    }
  }
}

TEST(Blocks, RefuseRowsThatAreNotWholeBlocks) {
  const auto storage = std::make_shared<std::vector<uint64_t>>(1000);
  const auto make = [&](StoredType type, Shape shape) {
    return StoredTensor(type, shape, std::shared_ptr<const void>(storage, storage->data()));
  };
  ExpectMessage<std::invalid_argument>(
      [&] {
        make(StoredType::kQ8_0, {2, 48});
      },
      "[stored_tensor] expected rows of a multiple of 32 numbers for Q8_0, found the shape [2, 48]");
  ExpectMessage<std::invalid_argument>(
      [&] {
        make(StoredType::kQ6K, {8, 32});
      },
      "[stored_tensor] expected rows of a multiple of 256 numbers for Q6_K, found the shape [8, 32]");
  ExpectMessage<std::invalid_argument>(
      [&] {
        Rounded(Tensor({32, 3}), StoredType::kNf4);
      },
      "[stored_tensor] expected rows of a multiple of 32 numbers for NF4, found the shape [32, 3]");
  EXPECT_THROW(make(StoredType::kQ4_0, {}), std::invalid_argument);
  EXPECT_EQ(make(StoredType::kQ4_0, {0, 32}).bytes(), 0);
}

TEST(Blocks, AreNotTakenForNumbers) {
  EXPECT_THROW(WithNumbers(StoredType::kQ8_0, nullptr, [](const auto*) { return 0; }), std::logic_error);
  EXPECT_THROW(blocks::WithBlocks(StoredType::kBf16, nullptr, [](const auto*) { return 0; }), std::logic_error);
}

TEST(FirstNotFinite, FindsAScaleThatIsNotFinite) {
  for (const StoredType type : kBlockTypes) {
    SCOPED_TRACE(ToString(type));
    const StoredTensor x = RandomBlocks(type, {30, 2048}, 5, false);
    EXPECT_EQ(io::FirstNotFinite(type, x.data(), x.shape().size()), x.shape().size());
    for (const Index place : ScalePlaces(type)) {
      std::vector<char> bytes(static_cast<const char*>(x.data()), static_cast<const char*>(x.data()) + x.bytes());
      const float nan = std::numeric_limits<float>::quiet_NaN();
      const uint16_t infinity = 0xFC00;
      for (const Index block : {100, 7}) {
        char* const at = bytes.data() + block * BytesOf(type) + place;
        type == StoredType::kNf4 ? std::memcpy(at, &nan, 4) : std::memcpy(at, &infinity, 2);
        const Index first = io::FirstNotFinite(type, bytes.data(), x.shape().size());
        EXPECT_EQ(first, block * BlockOf(type).numbers) << "scale at byte " << place;
      }
    }
  }
}

const uint8_t* BytesOfBlock(const StoredTensor& x, Index block) {
  return static_cast<const uint8_t*>(x.data()) + block * BytesOf(x.type());
}

uint16_t HalfBits(float x) { return ToHalf(x).bits; }

// By hand, with steps that are powers of two.
TEST(Quantise, Q8AsDescribed) {
  Tensor x({1, 32});
  x[0] = 254, x[1] = -254, x[2] = 1, x[3] = -1, x[4] = 2.98, x[5] = 3.02, x[31] = -3;
  const StoredTensor q = Rounded(x, StoredType::kQ8_0);
  const uint8_t* const bytes = BytesOfBlock(q, 0);
  EXPECT_EQ(bytes[0] | bytes[1] << 8, HalfBits(2));  // 254/127
  const auto code = [&](int j) { return static_cast<int>(static_cast<int8_t>(bytes[2 + j])); };
  EXPECT_EQ(code(0), 127);
  EXPECT_EQ(code(1), -127);
  EXPECT_EQ(code(2), 1);  // a half goes away from zero
  EXPECT_EQ(code(3), -1);
  EXPECT_EQ(code(4), 1);
  EXPECT_EQ(code(5), 2);
  EXPECT_EQ(code(6), 0);
  EXPECT_EQ(code(31), -2);
}

TEST(Quantise, Q4AsDescribed) {
  Tensor x({1, 32});
  x[0] = -16, x[1] = 16, x[2] = 1, x[3] = 0.98, x[4] = -1, x[16] = -2, x[31] = 13;
  const StoredTensor q = Rounded(x, StoredType::kQ4_0);
  const uint8_t* const bytes = BytesOfBlock(q, 0);
  EXPECT_EQ(bytes[0] | bytes[1] << 8, HalfBits(2));  // −16/−8
  EXPECT_EQ(bytes[2], 0 | 7 << 4);                   // −8 and −1
  EXPECT_EQ(bytes[3], 15 | 8 << 4);                  // 8 does not fit: 7
  EXPECT_EQ(bytes[4], 9 | 8 << 4);                   // a half goes up: ⌊0.5 + 8.5⌋
  EXPECT_EQ(bytes[5], 8 | 8 << 4);
  EXPECT_EQ(bytes[6], 8 | 8 << 4);
  EXPECT_EQ(bytes[17], 8 | 15 << 4);  // 6.5 becomes 7
}

// Each value of the table times absmax comes back, and a number goes to the nearest of them.
TEST(Quantise, Nf4AsDescribed) {
  const std::vector<double> map = reference::Nf4Map();
  Tensor x({1, 64});
  for (Index j = 0; j < 16; ++j) {
    x[j] = static_cast<Real>(3 * map[j]);
    const double middle = j < 15 ? (map[j] + map[j + 1]) / 2 : 1;
    x[16 + j] = static_cast<Real>(3 * (j % 2 == 0 ? middle - 1e-4 : middle + (j < 15 ? 1e-4 : 0)));
  }
  const StoredTensor q = Rounded(x, StoredType::kNf4);
  float absmax;
  std::memcpy(&absmax, q.data(), sizeof(absmax));
  EXPECT_EQ(absmax, 3);
  const Tensor wide = q.Widened();
  for (Index j = 0; j < 16; ++j) {
    EXPECT_EQ(wide[j], static_cast<Real>(map[j] * 3)) << j;
    EXPECT_EQ(wide[16 + j], static_cast<Real>(map[std::min<Index>(15, j % 2 == 0 ? j : j + 1)] * 3)) << j;
  }
  for (Index i = 0; i < 16; ++i) EXPECT_EQ(BytesOfBlock(q, 1)[4 + i], 0x77);  // a block of zeros
}

// Random rows of many sizes: no number is further from its quantised value than half a step, as the largest number of
// the block says it.
TEST(Quantise, IsWithinHalfAStep) {
  for (const StoredType type : {StoredType::kQ8_0, StoredType::kQ4_0, StoredType::kNf4}) {
    SCOPED_TRACE(ToString(type));
    Tensor x = Random(1, 1).NormalTensor({50, 64}, 1);
    for (Index r = 0; r < x.rows(); ++r) {
      for (Index j = 0; j < 64; ++j) x.row(r)[j] = std::ldexp(x.row(r)[j], static_cast<int>(r) / 4 - 6);
    }
    const Tensor wide = Rounded(x, type).Widened();
    for (Index i = 0; i < x.size(); i += 32) {
      double largest = 0;
      for (Index j = i; j < i + 32; ++j) largest = std::max<double>(largest, std::abs(x[j]));
      // Q4_0 has no code for the largest number with the sign turned: it may lie a whole step off. The widest gap of
      // NF4 is that below the first value. The scale of ggml's types is rounded to a half.
      const double step = type == StoredType::kQ8_0   ? largest / 254
                          : type == StoredType::kQ4_0 ? largest / 8
                                                      : largest * 0.304 / 2;
      for (Index j = i; j < i + 32; ++j) EXPECT_LE(std::abs(wide[j] - x[j]), step + largest * 0x1p-11) << j;
    }
  }
}

TEST(Quantise, RefusesWhatABlockCannotHold) {
  Tensor x({1, 32});
  x[5] = std::numeric_limits<Real>::quiet_NaN();
  for (const StoredType type : {StoredType::kQ8_0, StoredType::kQ4_0, StoredType::kNf4}) {
    ExpectMessage<std::invalid_argument>([&] { Rounded(x, type); }, "[quantise] expected finite numbers, found nan");
  }
  x[5] = -1e7;
  ExpectMessage<std::invalid_argument>([&] { Rounded(x, StoredType::kQ8_0); },
                                       "[quantise] expected a largest number whose scale is a half-precision number, "
                                       "found -10000000.000000");
  ExpectMessage<std::invalid_argument>(
      [&] {
        Rounded(Tensor({1, 256}), StoredType::kQ4K);
      },
      "[quantise] expected Q8_0, Q4_0 or NF4, found Q4_K");
  x[5] = 1e-42;  // 1/d is infinite
  for (const StoredType type : {StoredType::kQ8_0, StoredType::kQ4_0}) {
    const Tensor wide = Rounded(x, type).Widened();
    for (const Real y : wide) EXPECT_EQ(y, 0);
  }
}

}  // namespace
}  // namespace ampgrad
