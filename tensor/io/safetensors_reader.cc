#include "tensor/io/safetensors_reader.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "tensor/io/finite.h"
#include "tensor/io/mapped_file.h"
#include "tensor/thread_pool.h"

namespace ampgrad::io {
namespace {

// The format is little-endian, and numbers are copied without swapping bytes.
static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kLengthBytes = 8;  // the file begins with the length of the header

// Numbers that one task converts.
constexpr Index kChunk = 1 << 16;

// Throws std::invalid_argument when a Shape cannot hold the dimensions.
Shape ToShape(const std::vector<uint64_t>& dims) {
  std::array<Index, Shape::kMaxRank> d{};
  for (size_t i = 0; i < dims.size() && i < d.size(); ++i) {
    if (dims[i] > static_cast<uint64_t>(INT64_MAX)) {
      throw std::invalid_argument("expected extents below 2^63, found " + std::to_string(dims[i]));
    }
    d[i] = static_cast<Index>(dims[i]);
  }
  switch (dims.size()) {
    case 0:
      return {};
    case 1:
      return {d[0]};
    case 2:
      return {d[0], d[1]};
    case 3:
      return {d[0], d[1], d[2]};
    case 4:
      return {d[0], d[1], d[2], d[3]};
  }
  throw std::invalid_argument("expected at most 4 dimensions, found " + std::to_string(dims.size()));
}

// The first bytes of other formats that users may pass by mistake. Read as a header length, each of them is too large.
struct ForeignFormat {
  std::string_view start;
  const char* name;
};
constexpr std::array<ForeignFormat, 4> kForeignFormats = {{
    {"GGUF", "a GGUF file"},
    {"PK\x03\x04", "a zip archive, as PyTorch writes for pickled weights"},
    {"\x80\x02", "a Python pickle"},
    {"version ", "a Git LFS pointer, which stands for a file that was not fetched"},
}};

void RefuseForeignFormats(const MappedFile& file) {
  const std::string_view start(file.data(), kLengthBytes);
  for (const ForeignFormat& format : kForeignFormats) {
    if (!start.starts_with(format.start)) continue;
    throw std::runtime_error(file.name() + ": expected a safetensors file, found " + format.name);
  }
}

template <typename Stored>
Real ToReal(Stored x) {
  return Widen(x);
}
Real ToReal(double x) { return static_cast<Real>(x); }

// Types that are used in place, without conversion.
struct StoredName {
  const char* dtype;
  StoredType type;
};
constexpr std::array<StoredName, 3> kStoredTypes = {
    {{"F32", StoredType::kF32}, {"F16", StoredType::kF16}, {"BF16", StoredType::kBf16}}};

// Numbers in a file may be at any address, aligned or not.
template <typename Stored>
Stored NumberAt(const char* bytes, Index i) {
  Stored number;
  std::memcpy(&number, bytes + i * static_cast<Index>(sizeof(Stored)), sizeof(Stored));
  return number;
}

// Converts to.size() numbers into `to`. Returns the index of the first result that is not finite, else to.size().
template <typename Stored>
Index Convert(const char* bytes, Tensor& to) {
  std::atomic<Index> first{to.size()};
  ParallelChunks(to.size(), kChunk, [&](Index begin, Index end) {
    Index bad = end;
    for (Index i = end - 1; i >= begin; --i) {
      to[i] = ToReal(NumberAt<Stored>(bytes, i));
      if (!std::isfinite(to[i])) bad = i;
    }
    Index known = first;
    while (bad != end && bad < known && !first.compare_exchange_weak(known, bad)) {
    }
  });
  return first;
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path) : file_(std::make_shared<MappedFile>(path)) {
  const auto fail = [&](const std::string& message) { throw std::runtime_error(file_->name() + ": " + message); };
  if (file_->size() < kLengthBytes) {
    fail("too small for a safetensors file: expected at least 8 bytes, found " + std::to_string(file_->size()));
  }
  const uint64_t length = NumberAt<uint64_t>(file_->data(), 0);
  // Checked before any memory is requested: eight damaged bytes can give any length up to 2^64 - 1.
  if (length > kMaxHeaderBytes) {
    RefuseForeignFormats(*file_);
    fail("the header length is too large for a safetensors file: expected at most " + std::to_string(kMaxHeaderBytes) +
         " bytes, found " + std::to_string(length));
  }
  if (length > file_->size() - kLengthBytes) {
    fail("the header does not fit in the file: expected " + std::to_string(length) +
         " bytes behind the first 8, found " + std::to_string(file_->size() - kLengthBytes));
  }
  data_start_ = kLengthBytes + length;
  const std::string_view text(file_->data() + kLengthBytes, length);
  header_ = ParseSafetensorsHeader(text, file_->size() - data_start_, file_->name());
  for (size_t i = 0; i < header_.entries.size(); ++i) by_name_.emplace(header_.entries[i].name, i);
}

const std::string& SafetensorsReader::file() const { return file_->name(); }

void SafetensorsReader::FailAt(const TensorEntry& entry, const std::string& message) const {
  throw std::runtime_error(file_->name() + ": tensor " + QuoteName(entry.name) + message);
}

const TensorEntry& SafetensorsReader::Entry(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return header_.entries[found->second];
  throw std::runtime_error(file_->name() + ": expected a tensor " + QuoteName(name) + ", found none among its " +
                           std::to_string(header_.entries.size()) + " tensors");
}

Shape SafetensorsReader::ShapeOf(const std::string& name) const {
  const TensorEntry& entry = Entry(name);
  try {
    return ToShape(entry.shape);
  } catch (const std::invalid_argument& error) {
    FailAt(entry, std::string(" has a shape that is not supported here: ") + error.what());
  }
}

const char* SafetensorsReader::Bytes(const TensorEntry& entry) const {
  file_->RequireWhole();
  return file_->data() + data_start_ + entry.begin;
}

Tensor SafetensorsReader::ReadReal(const std::string& name) const {
  const TensorEntry& entry = Entry(name);
  const Shape shape = ShapeOf(name);
  if (entry.dtype == "F32") return ReadAs<float>(entry, shape);
  if (entry.dtype == "BF16") return ReadAs<Bf16>(entry, shape);
  if (entry.dtype == "F16") return ReadAs<Half>(entry, shape);
  if (entry.dtype == "F64") return ReadAs<double>(entry, shape);
  FailAt(entry, " is stored as " + entry.dtype + ", which is not supported here; expected F32, F64, F16 or BF16");
}

template <typename Stored>
Tensor SafetensorsReader::ReadAs(const TensorEntry& entry, Shape shape) const {
  const char* const bytes = Bytes(entry);
  Tensor tensor = Tensor::Uninitialized(shape);
  const Index first = Convert<Stored>(bytes, tensor);
  if (first == tensor.size()) return tensor;
  const bool overflow = std::isinf(tensor[first]) && sizeof(Stored) > sizeof(Real) &&
                        std::isfinite(NumberAt<double>(bytes, first));  // only doubles are wider than Real
  FailNotFinite(entry, shape, overflow ? "an overflow in F32" : std::isnan(tensor[first]) ? "NaN" : "infinity", first);
}

// The result keeps the mapping alive, or owns a copy if the bytes are not aligned.
std::shared_ptr<const void> SafetensorsReader::NumbersAt(const char* bytes, uint64_t size, Index alignment) const {
  if (reinterpret_cast<uintptr_t>(bytes) % static_cast<uintptr_t>(alignment) == 0) return {file_, bytes};
  const auto copy = std::make_shared<std::vector<std::max_align_t>>(size / sizeof(std::max_align_t) + 1);
  std::memcpy(copy->data(), bytes, size);
  return {copy, copy->data()};
}

StoredTensor SafetensorsReader::ReadStored(const std::string& name) const {
  const TensorEntry& entry = Entry(name);
  const auto known = std::find_if(kStoredTypes.begin(), kStoredTypes.end(),
                                  [&](const auto& stored) { return entry.dtype == stored.dtype; });
  if (known == kStoredTypes.end()) return StoredTensor(ReadReal(name));
  const Shape shape = ShapeOf(name);
  const std::shared_ptr<const void> data = NumbersAt(Bytes(entry), entry.end - entry.begin, BytesOf(known->type));
  const StoredTensor stored(known->type, shape, data);
  const Index first = FirstNotFinite(known->type, data.get(), shape.size());
  if (first != shape.size()) {
    const Real found = WithNumbers(known->type, data.get(), [&](const auto* numbers) { return Widen(numbers[first]); });
    FailNotFinite(entry, shape, std::isnan(found) ? "NaN" : "infinity", first);
  }
  return stored;
}

void SafetensorsReader::FailNotFinite(const TensorEntry& entry, const Shape& shape, const std::string& found,
                                      Index index) const {
  FailAt(entry, " of shape " + shape.ToString() + " holds " + found + " at index " + std::to_string(index) +
                    ", expected finite numbers");
}

std::string SafetensorsReader::ReadBytes(const std::string& name, const std::string& dtype) const {
  const TensorEntry& entry = Entry(name);
  if (!dtype.empty() && entry.dtype != dtype) FailAt(entry, " is stored as " + entry.dtype + ", expected " + dtype);
  return std::string(Bytes(entry), entry.end - entry.begin);
}

std::vector<int64_t> SafetensorsReader::ReadInts(const std::string& name) const {
  const TensorEntry& entry = Entry(name);
  if (entry.dtype != "I64") FailAt(entry, " is stored as " + entry.dtype + ", expected I64");
  const char* const bytes = Bytes(entry);
  std::vector<int64_t> values((entry.end - entry.begin) / sizeof(int64_t));
  if (!values.empty()) std::memcpy(values.data(), bytes, entry.end - entry.begin);
  return values;
}

}  // namespace ampgrad::io
