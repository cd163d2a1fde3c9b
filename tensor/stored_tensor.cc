#include "tensor/stored_tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "tensor/blocks.h"
#include "tensor/thread_pool.h"

namespace ampgrad {
namespace {

// What one task converts: this many numbers, or this many rows of a matrix.
constexpr Index kChunk = 1 << 16, kRowChunk = 32;

void RequireWholeBlocks(StoredType type, const Shape& shape) {
  const Index block = BlockOf(type).numbers;
  if (shape.cols() % block == 0) return;
  throw std::invalid_argument("[stored_tensor] expected rows of a multiple of " + std::to_string(block) +
                              " numbers for " + ToString(type) + ", found the shape " + shape.ToString());
}

// Columns `ids` of one row of blocks, to[i * stride]. Neighbouring ids share a run, which is widened once.
void WidenColumnsOfBlocks(StoredType type, const void* row, const std::vector<Index>& ids, Real* to, Index stride) {
  Real wide[blocks::kRun];
  Index run = -1;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] / blocks::kRun != run) blocks::WidenRun(type, row, run = ids[i] / blocks::kRun, wide);
    to[static_cast<Index>(i) * stride] = wide[ids[i] % blocks::kRun];
  }
}

// A whole row of blocks.
void WidenBlocks(StoredType type, const void* row, Index cols, Real* to) {
  for (Index run = 0; run < cols / blocks::kRun; ++run) blocks::WidenRun(type, row, run, to + run * blocks::kRun);
}

// Row r of a matrix of blocks.
const void* RowOf(const StoredTensor& x, Index r) {
  return static_cast<const char*>(x.data()) + r * BytesOf(x.type(), x.shape().cols());
}

}  // namespace

const char* ToString(StoredType type) {
  constexpr const char* kNames[] = {"F64",  "F32",  "F16",  "BF16", "Q8_0", "Q4_0", "Q4_1",
                                    "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "NF4"};
  return kNames[static_cast<size_t>(type)];
}

Real Widen(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

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
  if (!HasBlocks(type) && BytesOf(type) > static_cast<Index>(sizeof(Real))) {
    throw std::invalid_argument("[stored_tensor] expected numbers of at most " + std::to_string(sizeof(Real)) +
                                " bytes, found " + std::to_string(BytesOf(type)));
  }
  RequireWholeBlocks(type, shape);
}

StoredTensor::StoredTensor(StoredType type, Shape shape, const Tensor& storage)
    : StoredTensor(type, shape, std::shared_ptr<const void>(storage.storage())) {
  mapped_ = false;
}

StoredTensor::StoredTensor(const Tensor& tensor)
    : type_(kRealType), shape_(tensor.shape()), data_(tensor.storage()), tensor_(tensor), mapped_(false) {}

StoredTensor StoredTensor::Transposed() const {
  if (shape_.rank() != 2) {
    throw std::invalid_argument("[stored_tensor] expected a matrix to transpose, found the shape " + shape_.ToString());
  }
  StoredTensor transpose = *this;
  transpose.shape_ = {shape_.cols(), shape_.rows()};
  transpose.transposed_ = !transposed_;
  return transpose;
}

Tensor StoredTensor::Widened() const {
  if (transposed_) {
    std::vector<Index> rows(static_cast<size_t>(shape_.rows()));
    std::iota(rows.begin(), rows.end(), 0);
    return WidenedRows(rows);
  }
  if (!tensor_.empty()) return tensor_;
  Tensor wide = Tensor::Uninitialized(shape_);
  if (HasBlocks(type_)) {
    ParallelChunks(wide.rows(), kRowChunk, [&](Index r, Index end) {
      for (; r < end; ++r) WidenBlocks(type_, RowOf(*this, r), shape_.cols(), wide.row(r));
    });
    return wide;
  }
  WithNumbers(type_, data(), [&](const auto* numbers) {
    ParallelChunks(wide.size(), kChunk, [&](Index i, Index end) {
      for (; i < end; ++i) wide[i] = Widen(numbers[i]);
    });
  });
  return wide;
}

Tensor StoredTensor::WidenedRows(const std::vector<Index>& ids) const {
  if (transposed_) return Transposed().WidenedColumns(ids);
  const Index cols = shape_.cols();
  Tensor wide = Tensor::Uninitialized({static_cast<Index>(ids.size()), cols});
  if (HasBlocks(type_)) {
    ParallelChunks(wide.rows(), kRowChunk, [&](Index i, Index end) {
      for (; i < end; ++i) WidenBlocks(type_, RowOf(*this, ids[i]), cols, wide.row(i));
    });
    return wide;
  }
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
  if (transposed_) return Transposed().WidenedRows(ids);
  const Index rows = shape_.rows(), cols = shape_.cols();
  Tensor wide = Tensor::Uninitialized({static_cast<Index>(ids.size()), rows});
  if (HasBlocks(type_)) {
    ParallelChunks(rows, kRowChunk, [&](Index r, Index end) {
      for (; r < end; ++r) WidenColumnsOfBlocks(type_, RowOf(*this, r), ids, wide.data() + r, rows);
    });
    return wide;
  }
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

Tensor StorageOf(StoredType type, Index numbers) {
  const Index bytes = BytesOf(type, numbers), real = sizeof(Real);
  return Tensor::Uninitialized({std::max<Index>(1, (bytes + real - 1) / real)});
}

StoredTensor Rounded(const Tensor& x, StoredType type) {
  RequireWholeBlocks(type, x.shape());
  const Index cols = x.shape().cols();
  Tensor storage = StorageOf(type, x.size());
  void* const to = storage.data();
  std::vector<float> row(static_cast<size_t>(cols));
  for (Index r = 0; r < (HasBlocks(type) ? x.rows() : 0); ++r) {
    for (Index j = 0; j < cols; ++j) row[j] = static_cast<float>(x.row(r)[j]);
    blocks::Quantise(type, row.data(), cols, static_cast<char*>(to) + r * BytesOf(type, cols));
  }
  for (Index i = 0; i < x.size(); ++i) {
    const auto value = static_cast<float>(x[i]);
    if (type == StoredType::kF32) static_cast<float*>(to)[i] = value;
    if (type == StoredType::kF16) static_cast<Half*>(to)[i] = ToHalf(value);
    if (type == StoredType::kBf16) static_cast<Bf16*>(to)[i] = ToBf16(value);
  }
  return {type, x.shape(), storage};
}

}  // namespace ampgrad
