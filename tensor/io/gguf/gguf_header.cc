#include "tensor/io/gguf/gguf_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>
#include <stdexcept>

#include "tensor/io/printable.h"
#include "tensor/io/safetensors_header.h"
#include "tensor/io/utf8.h"

namespace ampgrad::io {
namespace {

// Numbers are copied without swapping bytes.
static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kMaxValues = 4'000'000;
constexpr uint32_t kMaxDimensions = 4, kMaxAlignment = 1 << 20;
constexpr uint64_t kMaxTensorName = 64, kMaxKey = 65535;  // bytes
constexpr int kMaxArrayDepth = 8;                         // of arrays within arrays

constexpr std::array<uint64_t, kTypes> kLeastBytes = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

// Reads the bytes of a header from its start. `what` names the thing that is read, for messages.
class Cursor {
 public:
  Cursor(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  uint64_t at() const { return at_; }
  [[noreturn]] void Fail(const std::string& message) const { RefuseToRead(file_, message); }

  // Refuses `count` things of at least `least` bytes each before memory is taken for them.
  void RequireRoom(uint64_t count, uint64_t least, const std::string& what) const {
    const uint64_t left = std::min<uint64_t>(bytes_.size(), kMaxHeaderBytes) - at_;
    if (count <= left / least) return;
    const bool limit = bytes_.size() > kMaxHeaderBytes;
    Fail("expected " + what + " at byte " + std::to_string(at_) + " to fit in " +
         (limit ? "the 100 MB that a header may have" : "the file") + ", found " + std::to_string(count) +
         " of at least " + std::to_string(least) + " bytes each before the " + std::to_string(left) + " that are left");
  }

  template <class Number>
  Number Read(const std::string& what) {
    RequireRoom(1, sizeof(Number), what);
    Number number;
    std::memcpy(&number, bytes_.data() + at_, sizeof(Number));
    at_ += sizeof(Number);
    return number;
  }

  std::string Text(const std::string& what) {
    const uint64_t length = Read<uint64_t>("the length of " + what);
    RequireRoom(length, 1, what);
    std::string text(bytes_.substr(at_, length));
    at_ += length;
    RequireUtf8(text, file_ + ": " + what + ":");
    return text;
  }

 private:
  std::string_view bytes_;
  const std::string& file_;
  uint64_t at_ = 0;
};

// The values of a header: a flat object.
class ValueReader {
 public:
  explicit ValueReader(Cursor& cursor) : cursor_(cursor) {}

  nlohmann::json Read(uint64_t count) {
    nlohmann::json values = nlohmann::json::object();
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = cursor_.Text("key " + std::to_string(i));
      if (key.empty() || key.size() > kMaxKey) {
        cursor_.Fail("expected key " + std::to_string(i) + " to have 1..65535 bytes, found " +
                     std::to_string(key.size()));
      }
      what_ = "the value of " + QuoteName(key);
      const uint32_t type = cursor_.Read<uint32_t>("the type of " + what_);
      if (!values.emplace(key, Value(type, 0)).second) cursor_.Fail("the header holds " + QuoteName(key) + " twice");
    }
    return values;
  }

 private:
  nlohmann::json Value(uint32_t type, int depth) {
    if (++values_ > kMaxValues) cursor_.Fail("the header has more than four million values");
    switch (type) {
      case kU8:
        return cursor_.Read<uint8_t>(what_);
      case kI8:
        return cursor_.Read<int8_t>(what_);
      case kU16:
        return cursor_.Read<uint16_t>(what_);
      case kI16:
        return cursor_.Read<int16_t>(what_);
      case kU32:
        return cursor_.Read<uint32_t>(what_);
      case kI32:
        return cursor_.Read<int32_t>(what_);
      case kF32:
        return cursor_.Read<float>(what_);
      case kBool:
        return Boolean();
      case kString:
        return cursor_.Text(what_);
      case kArray:
        return Array(depth + 1);
      case kU64:
        return cursor_.Read<uint64_t>(what_);
      case kI64:
        return cursor_.Read<int64_t>(what_);
      case kF64:
        return cursor_.Read<double>(what_);
    }
    cursor_.Fail("expected " + what_ + " to have a type of 0..12, found " + std::to_string(type));
  }

  bool Boolean() {
    const uint8_t byte = cursor_.Read<uint8_t>(what_);
    if (byte > 1) cursor_.Fail("expected " + what_ + " to be 0 or 1, as it is a bool, found " + std::to_string(byte));
    return byte == 1;
  }

  nlohmann::json Array(int depth) {
    if (depth > kMaxArrayDepth) {
      cursor_.Fail(what_ + " nests arrays more than " + std::to_string(kMaxArrayDepth) + " deep");
    }
    const uint32_t type = cursor_.Read<uint32_t>("the type in " + what_);
    if (type >= kTypes) cursor_.Fail("expected " + what_ + " to hold a type of 0..12, found " + std::to_string(type));
    const uint64_t count = cursor_.Read<uint64_t>("the length of " + what_);
    cursor_.RequireRoom(count, kLeastBytes[type], what_);
    nlohmann::json items = nlohmann::json::array();
    for (uint64_t i = 0; i < count; ++i) items.push_back(Value(type, depth));
    return items;
  }

  Cursor& cursor_;
  std::string what_;
  uint64_t values_ = 0;
};

void RequireMagic(Cursor& cursor) {
  const uint32_t magic = cursor.Read<uint32_t>("the magic number");
  if (magic != 0x46554747) cursor.Fail("not a GGUF file: expected the bytes GGUF at its start");
  const uint32_t version = cursor.Read<uint32_t>("the version");
  if (version != 0 && (version & 0xFFFF) == 0) {
    cursor.Fail("a big-endian GGUF file, which is not supported; convert it to little-endian");
  }
  if (version != 2 && version != 3) cursor.Fail("expected version 2 or 3 of GGUF, found " + std::to_string(version));
}

uint64_t AlignmentOf(const nlohmann::json& values, const std::string& file) {
  const auto found = values.find("general.alignment");
  if (found == values.end()) return 32;
  const uint64_t alignment = found->is_number_unsigned() ? found->get<uint64_t>() : 0;
  if (alignment != 0 && alignment % 8 == 0 && alignment <= kMaxAlignment) return alignment;
  RefuseToRead(file, "expected general.alignment to be a multiple of 8 of at most " + std::to_string(kMaxAlignment) +
                         ", found " + found->dump(-1, ' ', true));
}

Shape ShapeOf(const std::array<uint64_t, kMaxDimensions>& extents, uint32_t rank) {
  const auto d = [&](uint32_t i) { return static_cast<Index>(extents[rank - 1 - i]); };
  if (rank == 1) return {d(0)};
  if (rank == 2) return {d(0), d(1)};
  if (rank == 3) return {d(0), d(1), d(2)};
  return {d(0), d(1), d(2), d(3)};
}

GgufTensor ReadTensor(Cursor& cursor, uint64_t number, uint64_t alignment) {
  GgufTensor tensor;
  tensor.name = cursor.Text("the name of tensor " + std::to_string(number));
  if (tensor.name.empty() || tensor.name.size() > kMaxTensorName) {
    cursor.Fail("expected the name of tensor " + std::to_string(number) + " to have 1..64 bytes, found " +
                std::to_string(tensor.name.size()));
  }
  const std::string what = "tensor " + QuoteName(tensor.name);
  const uint32_t rank = cursor.Read<uint32_t>("the dimensions of " + what);
  if (rank < 1 || rank > kMaxDimensions) {
    cursor.Fail("expected " + what + " to have 1..4 dimensions, found " + std::to_string(rank));
  }
  std::array<uint64_t, kMaxDimensions> extents{};
  uint64_t count = 1, bytes = 0;
  bool fits = true;
  for (uint32_t i = 0; i < rank; ++i) {
    extents[i] = cursor.Read<uint64_t>("the extents of " + what);
    if (extents[i] == 0) cursor.Fail("expected the extents of " + what + " to be at least 1, found 0");
    fits = fits && !__builtin_mul_overflow(count, extents[i], &count);
  }
  const uint32_t type = cursor.Read<uint32_t>("the type of " + what);
  if (!KnownGgmlType(type)) {
    cursor.Fail(what + " is stored as " + GgmlTypeName(type) + ", which is not supported; expected F32, F16, BF16, " +
                "Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K");
  }
  tensor.type = *KnownGgmlType(type);
  const StoredBlock block = BlockOf(StoredTypeOf(tensor.type));
  if (extents[0] % static_cast<uint64_t>(block.numbers) != 0) {
    cursor.Fail("expected the rows of " + what + " to be a multiple of " + std::to_string(block.numbers) +
                " numbers, as it is stored as " + GgmlTypeName(type) + ", found " + std::to_string(extents[0]));
  }
  fits = fits && !__builtin_mul_overflow(count / static_cast<uint64_t>(block.numbers), block.bytes, &bytes);
  tensor.begin = cursor.Read<uint64_t>("the offset of " + what);
  fits = fits && count <= static_cast<uint64_t>(INT64_MAX) && !__builtin_add_overflow(tensor.begin, bytes, &tensor.end);
  if (!fits) cursor.Fail(what + " is larger than any file");
  if (tensor.begin % alignment != 0) {
    cursor.Fail("expected the offset of " + what + " to be a multiple of the alignment of " +
                std::to_string(alignment) + " bytes, found " + std::to_string(tensor.begin));
  }
  tensor.shape = ShapeOf(extents, rank);
  return tensor;
}

// The offsets count from `data_start`; afterwards, from the start of the file.
void PlaceTensors(std::vector<GgufTensor>& tensors, uint64_t data_start, uint64_t file_bytes, const Cursor& cursor) {
  const uint64_t data_bytes = file_bytes > data_start ? file_bytes - data_start : 0;
  std::vector<const GgufTensor*> order;
  std::set<std::string_view> names;
  for (const GgufTensor& tensor : tensors) {
    if (!names.insert(tensor.name).second) cursor.Fail("the header holds tensor " + QuoteName(tensor.name) + " twice");
    if (tensor.end > data_bytes) {
      cursor.Fail("expected tensor " + QuoteName(tensor.name) + " to end within the " + std::to_string(data_bytes) +
                  " bytes behind the header, found its end at " + std::to_string(tensor.end));
    }
    order.push_back(&tensor);
  }
  std::ranges::sort(order, {}, &GgufTensor::begin);
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->begin >= order[i - 1]->end) continue;
    cursor.Fail("tensors " + QuoteName(order[i - 1]->name) + " and " + QuoteName(order[i]->name) + " overlap");
  }
  for (GgufTensor& tensor : tensors) {
    tensor.begin += data_start;
    tensor.end += data_start;
  }
}

}  // namespace

GgufHeader ParseGgufHeader(std::string_view bytes, const std::string& file) {
  constexpr uint64_t kLeastValue = 8 + 1 + 4 + 1, kLeastTensor = 8 + 1 + 4 + 8 + 4 + 8;  // bytes
  Cursor cursor(bytes, file);
  RequireMagic(cursor);
  const uint64_t tensors = cursor.Read<uint64_t>("the number of tensors");
  const uint64_t values = cursor.Read<uint64_t>("the number of values");
  cursor.RequireRoom(values, kLeastValue, "the values");
  GgufHeader header;
  header.values = ValueReader(cursor).Read(values);
  const uint64_t alignment = AlignmentOf(header.values, file);
  cursor.RequireRoom(tensors, kLeastTensor, "the tensors");
  for (uint64_t i = 0; i < tensors; ++i) header.tensors.push_back(ReadTensor(cursor, i, alignment));
  const uint64_t data_start = (cursor.at() + alignment - 1) / alignment * alignment;
  PlaceTensors(header.tensors, data_start, bytes.size(), cursor);
  return header;
}

}  // namespace ampgrad::io
