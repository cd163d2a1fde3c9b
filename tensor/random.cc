#include "tensor/random.h"

#include <cmath>
#include <numeric>
#include <utility>

namespace ampgrad {
namespace {

constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

uint32_t High(uint64_t x) { return static_cast<uint32_t>(x >> 32); }
uint32_t Low(uint64_t x) { return static_cast<uint32_t>(x); }

// The 53 high bits of `bits` as a number in [0, 1).
double UnitInterval(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

}  // namespace

std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMultiplier0 * c[0];
    const uint64_t p1 = kMultiplier1 * c[2];
    c = {High(p1) ^ c[1] ^ key[0], Low(p1), High(p0) ^ c[3] ^ key[1], Low(p0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return c;
}

uint64_t Random::Bits(uint64_t n) const {
  const auto r = Philox({Low(n), High(n), Low(stream_), High(stream_)}, {Low(seed_), High(seed_)});
  return static_cast<uint64_t>(r[1]) << 32 | r[0];
}

double Random::Uniform(uint64_t n) const { return UnitInterval(Bits(n)); }

double Random::Normal(uint64_t n) const {
  const auto r = Philox({Low(n), High(n), Low(stream_), High(stream_)}, {Low(seed_), High(seed_)});
  const double u1 = 1.0 - UnitInterval(static_cast<uint64_t>(r[1]) << 32 | r[0]);  // (0, 1]: its logarithm is finite
  const double u2 = UnitInterval(static_cast<uint64_t>(r[3]) << 32 | r[2]);
  return std::sqrt(-2.0 * std::log(u1)) * std::cos(2.0 * M_PI * u2);
}

Index Random::Below(uint64_t n, Index bound) const {
  // The high half of a 128-bit product maps 64 random bits to [0, bound) with a bias below bound / 2^64.
  return static_cast<Index>(static_cast<unsigned __int128>(Bits(n)) * static_cast<uint64_t>(bound) >> 64);
}

std::vector<Index> Random::Permutation(Index size) const {
  std::vector<Index> order(size);
  std::iota(order.begin(), order.end(), Index{0});
  for (Index i = size - 1; i > 0; --i) std::swap(order[i], order[Below(static_cast<uint64_t>(i), i + 1)]);
  return order;
}

Tensor Random::NormalTensor(Shape shape, double stddev) const {
  Tensor t = Tensor::Uninitialized(shape);
  for (Index i = 0; i < t.size(); ++i) t[i] = static_cast<Real>(stddev * Normal(static_cast<uint64_t>(i)));
  return t;
}

}  // namespace ampgrad
