#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/simd/tiles.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/simd_sweep.h"
#include "tests/support/small_models.h"
#include "tests/tensor/kernels/product_case.h"

namespace ampgrad::kernels {
namespace {

// Compares with a product in double. Each element has the classical bound of a sum of k products in any order:
// |error| <= (k + 2)·u·(|init| + Σ|a||b|).
void CheckProduct(Index m, Index n, Index k, bool a_transposed, bool b_transposed, bool with_init) {
  const ProductCase product(m, n, k, a_transposed, b_transposed, with_init);
  SCOPED_TRACE(product.Name());
  const Tensor &a = product.a, &b = product.b, &start = product.start;
  std::vector<double> expected(m * n), scale(m * n);
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      double sum = with_init ? start[i * n + j] : 0, size = std::abs(sum);
      for (Index p = 0; p < k; ++p) {
        const double term = static_cast<double>(a_transposed ? a[p * m + i] : a[i * k + p]) *
                            (b_transposed ? b[j * k + p] : b[p * n + j]);
        sum += term;
        size += std::abs(term);
      }
      expected[i * n + j] = sum;
      scale[i * n + j] = size;
    }
  }
  GuardedBuffer c = product.Run();
  ExpectClose(c, expected, scale, 0.5 * static_cast<double>(k + 2));
}

TEST(Gemm, MatchesTheDefinitionOnEveryTarget) {
  ForEachSimdTarget([] {
    for (const Index m : {1, 5, 14, 29}) {
      for (const Index n : {1, 3, 32, 47}) {
        for (const Index k : {0, 1, 2, 19}) {
          for (int variant = 0; variant < 8; ++variant) CheckProduct(m, n, k, variant & 1, variant & 2, variant & 4);
        }
      }
    }
  });
}

TEST(Gemm, MatchesTheDefinitionAcrossBlocksOfK) {
  ForEachSimdTarget([] {
    for (const Index k : {kDepth - 1, kDepth, kDepth + 1, 2 * kDepth + 3}) {
      for (int variant = 0; variant < 8; ++variant) CheckProduct(31, 37, k, variant & 1, variant & 2, variant & 4);
    }
    for (int variant = 0; variant < 8; ++variant) CheckProduct(300, 70, 40, variant & 1, variant & 2, variant & 4);
    CheckProduct(600, 70, 33, false, true, true);  // several blocks of rows
    CheckProduct(49, 1100, 300, true, false, true);
  });
}

// Sizes that a tile unit takes, and smaller ones; whole tiles and parts; one step along k and several.
struct Size {
  Index m, n, k;
};
constexpr Size kSizes[] = {{9, 35, 4}, {20, 33, 6}, {50, 67, 104}, {64, 64, 96}, {64, 64, 300}, {49, 81, 300}};

TEST(Gemm, StartsFromOneRowForAll) {
  ForEachSimdTarget([] {
    for (const auto& [m, n, k] : kSizes) {
      const Tensor a = Random(2, 1).NormalTensor({m, k}, 1), b = Random(2, 2).NormalTensor({k, n}, 1);
      const Tensor bias = Random(2, 3).NormalTensor({n}, 1);
      Tensor c({m, n}), expected({m, n});
      Gemm(m, n, k, {a.data(), k}, {b.data(), n}, {bias.data(), 0}, c.data(), n);
      NaiveGemm(m, n, k, {a.data(), k}, {b.data(), n}, {bias.data(), 0}, expected.data(), n);
      const double bound = 5 * static_cast<double>(k) * std::numeric_limits<Real>::epsilon();
      for (Index i = 0; i < c.size(); ++i) EXPECT_NEAR(c[i], expected[i], bound) << m << "x" << n << "x" << k;
    }
  });
}

TEST(Gemm, AddsToItsOutput) {
  ForEachSimdTarget([] {
    for (const auto& [m, n, k] : kSizes) CheckProduct(m, n, k, true, false, true);
  });
}

TEST(Gemm, WritesOnlyItsPartOfAWiderMatrix) {
  ForEachSimdTarget([] {
    for (const auto& [m, n, k] : kSizes) {
      const Index width = n + 17;
      const Tensor a = Random(3, 1).NormalTensor({m, k}, 1), b = Random(3, 2).NormalTensor({k, n}, 1);
      Tensor wide({m, width}), narrow({m, n});
      wide.Fill(4);
      Gemm(m, n, k, {a.data(), k}, {b.data(), n}, {}, wide.data(), width);
      Gemm(m, n, k, {a.data(), k}, {b.data(), n}, {}, narrow.data(), n);
      for (Index i = 0; i < m; ++i) {
        EXPECT_TRUE(std::equal(narrow.row(i), narrow.row(i) + n, wide.row(i))) << "row " << i;
        for (Index j = n; j < width; ++j) EXPECT_EQ(wide.row(i)[j], 4);
      }
    }
  });
}

#ifdef __linux__
// A copy of `numbers` that ends at the end of a page, after which nothing may be read.
class AtTheEndOfMemory {
 public:
  explicit AtTheEndOfMemory(const Tensor& numbers) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), bytes = numbers.size() * sizeof(Real);
    readable_ = (bytes + page - 1) / page * page;
    size_ = readable_ + page;
    memory_ = static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + readable_, page, PROT_NONE);
    data_ = reinterpret_cast<Real*>(memory_ + readable_ - bytes);
    std::copy(numbers.begin(), numbers.end(), data_);
  }
  ~AtTheEndOfMemory() { munmap(memory_, size_); }
  Real* data() { return data_; }

 private:
  size_t readable_, size_;
  char* memory_;
  Real* data_;
};

// Sanitizers do not see the loads of masked and tile instructions.
TEST(Gemm, ReadsNothingBehindItsOperands) {
  ForEachSimdTarget([] {
    for (const auto& [m, n, k] : {Size{49, 49, 97}, {65, 81, 129}, {7, 5, 3}}) {
      for (int variant = 0; variant < 4; ++variant) {
        const bool a_transposed = variant & 1, b_transposed = variant & 2;
        const Tensor a = Random(6, 1).NormalTensor(a_transposed ? Shape{k, m} : Shape{m, k}, 1);
        const Tensor b = Random(6, 2).NormalTensor(b_transposed ? Shape{n, k} : Shape{k, n}, 1);
        AtTheEndOfMemory last_a(a), last_b(b), last_c(Tensor({m, n}));
        Tensor expected({m, n});
        Gemm(m, n, k, {a.data(), a.cols(), a_transposed}, {b.data(), b.cols(), b_transposed}, {}, expected.data(), n);
        Gemm(m, n, k, {last_a.data(), a.cols(), a_transposed}, {last_b.data(), b.cols(), b_transposed},
             {last_c.data(), n}, last_c.data(), n);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), last_c.data())) << m << ", variant " << variant;
      }
    }
  });
}
#endif

// The promise of determinism, element by element: neither the number of threads nor the place in C changes a bit.
TEST(Gemm, GivesTheSameBitsForAnyThreadCountAndPlace) {
  const Tensor a = Random(4, 1).NormalTensor({203, 300}, 1), b = Random(4, 2).NormalTensor({300, 155}, 1);
  const auto product = [&](const Tensor& rows, int threads) {
    SetNumThreads(threads);
    Tensor c({rows.rows(), 155});
    ProductNN(rows, b, {c.data()});
    SetNumThreads(0);
    return c;
  };
  ForEachSimdTarget([&] {
    const Tensor one = product(a, 1);
    for (const int threads : {2, 3, 5}) EXPECT_TRUE(SameBits(product(a, threads), one)) << threads << " threads";
    // Products of at least 48 rows go through tiles.
    const Index count = TilesAllowed() ? 67 : 1;
    for (Index row = 0; row + count <= 203; row += 67) {
      EXPECT_TRUE(SameBits(product(a.Rows(row, row + count), 2), one.Rows(row, row + count))) << "row " << row;
    }
  });
}

// A product of one row takes another code path than one of many rows, but must have the same bits.
TEST(Gemm, OneRowHasTheBitsOfMany) {
  ForEachSimdTarget([] {
    for (const Index n : {3, 15, 16, 31, 32, 33, 127, 128, 161, 300}) {
      for (const Index k : {0, 1, 3, 4, 37, static_cast<int>(kDepth) - 1, 2 * static_cast<int>(kDepth) + 5}) {
        for (int variant = 0; variant < 8; ++variant) {
          const bool a_transposed = variant & 1, b_transposed = variant & 2, with_init = variant & 4;
          SCOPED_TRACE(testing::Message() << n << "x" << k << ", variant " << variant);
          const Tensor a = Random(5, 1).NormalTensor(a_transposed ? Shape{k, 3} : Shape{3, k}, 1);
          const Tensor b = Random(5, 2).NormalTensor(b_transposed ? Shape{n, k} : Shape{k, n}, 1);
          const Tensor start = Random(5, 3).NormalTensor({3, n}, 1);
          const Operand left{a.data(), a.cols(), a_transposed}, right{b.data(), b.cols(), b_transposed};
          Tensor many({3, n});
          Gemm(3, n, k, left, right, with_init ? Init{start.data(), n} : Init{}, many.data(), n);
          for (Index i = 0; i < 3; ++i) {
            GuardedBuffer one(n, 77);
            Gemm(1, n, k, left.At(i, 0), right, with_init ? Init{start.row(i), n} : Init{}, one.data(), n);
            EXPECT_EQ(std::memcmp(one.data(), many.row(i), n * sizeof(Real)), 0) << "row " << i;
          }
        }
      }
    }
  });
}

TEST(Gemm, CarriesNaN) {
  Tensor a({3, 2}), b({2, 3}), c({3, 3});
  a.row(1)[0] = std::numeric_limits<Real>::quiet_NaN();
  ProductNN(a, b, {c.data()});
  EXPECT_TRUE(std::isnan(c.row(1)[2]));
  EXPECT_EQ(c.row(0)[0], 0);
}

TEST(Gemm, RejectsWrongShapes) {
  Tensor c({2, 2});
  ExpectMessage<std::invalid_argument>(
      [&] {
        ProductNT(Tensor({2, 3}), Tensor({2, 4}), {c.data()});
      },
      "[gemm_nt] shapes do not fit: A [2, 3], B [2, 4]");
  EXPECT_THROW(ProductNN(Tensor({2, 3}), Tensor({4, 2}), {c.data()}), std::invalid_argument);
  EXPECT_THROW(ProductTN(Tensor({3, 2}), Tensor({4, 2}), {c.data()}), std::invalid_argument);
}

}  // namespace
}  // namespace ampgrad::kernels
