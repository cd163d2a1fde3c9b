#include "tensor/stored_tensor.h"

#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

#include "tensor/thread_pool.h"

namespace ampgrad {
namespace {

// What one task converts: this many numbers, or this many rows of a matrix.
constexpr Index kChunk = 1 << 16, kRowChunk = 32;

}  // namespace

Real Widen(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

Real Widen(Half x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  const uint32_t exponent = (x.bits >> 10) & 0x1F, fraction = x.bits & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 127 - 15) << 23 | fraction << 13);
  const float subnormal = static_cast<float>(fraction) * 0x1p-24f;  // exact: ten bits and a power of two
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(subnormal));
}

Bf16 ToBf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<Bf16>((bits >> 16) | 0x40);  // quiet: the upper bits alone may read as infinity
  const uint32_t odd = (bits >> 16) & 1;
  return static_cast<Bf16>((bits + 0x7FFF + odd) >> 16);
}

Half ToHalf(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), size = bits & 0x7FFFFFFF;
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const auto signed_half = [&](uint32_t half) { return Half{static_cast<uint16_t>(sign | half)}; };
  if (std::isnan(x)) return signed_half(0x7E00);
  if (size >= 0x47800000) return signed_half(0x7C00);  // 2^16 and beyond
  if (size < 0x38800000) {                             // below 2^-14: a multiple of 2^-24
    return signed_half(static_cast<uint32_t>(std::nearbyint(std::bit_cast<float>(size) * 0x1p24f)));
  }
  const uint32_t rebiased = size - ((127 - 15) << 23), odd = (rebiased >> 13) & 1;
  return signed_half((rebiased + 0xFFF + odd) >> 13);
}

StoredTensor::StoredTensor(StoredType type, Shape shape, std::shared_ptr<const void> data)
    : type_(type), shape_(shape), data_(std::move(data)) {
  if (BytesOf(type) > static_cast<Index>(sizeof(Real))) {
    throw std::invalid_argument("[stored_tensor] expected numbers of at most " + std::to_string(sizeof(Real)) +
                                " bytes, found " + std::to_string(BytesOf(type)));
  }
}

StoredTensor::StoredTensor(const Tensor& tensor)
    : type_(kRealType), shape_(tensor.shape()), data_(tensor.storage()), tensor_(tensor) {}

Tensor StoredTensor::Widened() const {
  if (!tensor_.empty()) return tensor_;
  Tensor wide = Tensor::Uninitialized(shape_);
  WithNumbers(type_, data(), [&](const auto* numbers) {
    ParallelChunks(wide.size(), kChunk, [&](Index i, Index end) {
      for (; i < end; ++i) wide[i] = Widen(numbers[i]);
    });
  });
  return wide;
}

Tensor StoredTensor::WidenedRows(const std::vector<Index>& ids) const {
  const Index cols = shape_.cols();
  Tensor wide = Tensor::Uninitialized({static_cast<Index>(ids.size()), cols});
  WithNumbers(type_, data(), [&](const auto* numbers) {
    ParallelChunks(wide.rows(), kRowChunk, [&](Index i, Index end) {
      for (; i < end; ++i) {
        const auto* row = numbers + ids[i] * cols;
        for (Index j = 0; j < cols; ++j) wide.row(i)[j] = Widen(row[j]);
      }
    });
  });
  return wide;
}

Tensor StoredTensor::WidenedColumns(const std::vector<Index>& ids) const {
  const Index rows = shape_.rows(), cols = shape_.cols();
  Tensor wide = Tensor::Uninitialized({static_cast<Index>(ids.size()), rows});
  WithNumbers(type_, data(), [&](const auto* numbers) {
    // A task takes rows of the matrix, because each row is contiguous in memory.
    ParallelChunks(rows, kRowChunk, [&](Index begin, Index end) {
      for (Index i = 0; i < wide.rows(); ++i) {
        for (Index r = begin; r < end; ++r) wide.row(i)[r] = Widen(numbers[r * cols + ids[i]]);
      }
    });
  });
  return wide;
}

StoredTensor Rounded(const Tensor& x, StoredType type) {
  const auto bytes = std::make_shared<std::vector<float>>(static_cast<size_t>(x.size()) + 1);  // room for any type
  void* const to = bytes->data();
  for (Index i = 0; i < x.size(); ++i) {
    const auto value = static_cast<float>(x[i]);
    if (type == StoredType::kF32) static_cast<float*>(to)[i] = value;
    if (type == StoredType::kF16) static_cast<Half*>(to)[i] = ToHalf(value);
    if (type == StoredType::kBf16) static_cast<Bf16*>(to)[i] = ToBf16(value);
  }
  return {type, x.shape(), std::shared_ptr<const void>(bytes, to)};
}

}  // namespace ampgrad
