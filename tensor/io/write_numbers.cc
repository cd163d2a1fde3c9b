#include "tensor/io/write_numbers.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "tensor/thread_pool.h"

namespace ampgrad::io {
namespace {

// Numbers converted between two writes, and numbers that one task converts.
constexpr Index kBlock = 1 << 20, kTaskNumbers = 1 << 14;

// A float near x that rounds to 16 bits as x itself would, although x may have more digits. x is rounded to a float
// with an odd last digit, so that the result stays on x's side of a tie.
float NearFloat(Real x) {
  float near = static_cast<float>(x);
  if (static_cast<Real>(near) != x && !std::isnan(x)) {
    if (std::abs(static_cast<Real>(near)) > std::abs(x)) near = std::nextafter(near, 0.0f);
    near = std::bit_cast<float>(std::bit_cast<uint32_t>(near) | 1);
  }
  return near;
}

void Round(Real from, float& to) { to = static_cast<float>(from); }
void Round(Real from, double& to) { to = from; }
void Round(Real from, Bf16& to) { to = ToBf16(NearFloat(from)); }
void Round(Real from, Half& to) { to = ToHalf(NearFloat(from)); }

double ToDouble(double x) { return x; }
double ToDouble(Bf16 x) { return Widen(x); }
double ToDouble(Half x) { return Widen(x); }

template <typename Stored>
bool IsFinite(Stored x) {
  return std::isfinite(ToDouble(x));
}

template <typename Stored>
void WriteAs(AtomicFile& file, const Tensor& value, const std::string& what) {
  std::vector<Stored> block(static_cast<size_t>(std::min(kBlock, value.size())));
  for (Index start = 0; start < value.size(); start += kBlock) {
    const Index count = std::min(kBlock, value.size() - start);
    std::atomic<bool> finite{true};
    ParallelChunks(count, kTaskNumbers, [&](Index i, Index end) {
      bool all = true;
      for (; i < end; ++i) {
        Round(value[start + i], block[i]);
        all = all && IsFinite(block[i]);
      }
      if (!all) finite = false;
    });
    if (!finite) {
      const auto bad = std::find_if(block.begin(), block.end(), [](Stored x) { return !IsFinite(x); });
      throw std::invalid_argument(what + ": expected finite numbers, found " + std::to_string(ToDouble(*bad)) +
                                  " at index " + std::to_string(start + (bad - block.begin())));
    }
    file.Write(block.data(), static_cast<size_t>(count) * sizeof(Stored));
  }
}

}  // namespace

void WriteNumbers(AtomicFile& file, StoredType type, const Tensor& value, const std::string& what) {
  if (HasBlocks(type)) throw std::logic_error(what + ": expected a type without blocks, found " + ToString(type));
  if (type == StoredType::kF32) WriteAs<float>(file, value, what);
  if (type == StoredType::kF64) WriteAs<double>(file, value, what);
  if (type == StoredType::kF16) WriteAs<Half>(file, value, what);
  if (type == StoredType::kBf16) WriteAs<Bf16>(file, value, what);
}

}  // namespace ampgrad::io
