#include "models/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "models/atomic_file.h"

namespace ampgrad::models {
namespace {

// The format is little-endian, and numbers are copied as they lie.
static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kLengthBytes = 8;  // the header's length, which the file begins with

// Numbers converted at a time: keeps the buffer within the cache.
constexpr Index kChunk = 8192;

std::string KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "something else";
}

// Throws std::invalid_argument when the shape has no place in a Tensor.
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

}  // namespace

class SafetensorsReader::File {
 public:
  explicit File(const std::filesystem::path& path) : name_(path.string()) {
    // Without O_NONBLOCK a pipe would keep us waiting for somebody to write into it.
    fd_ = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd_ < 0) throw std::runtime_error(name_ + ": cannot open the file: " + std::strerror(errno));
    struct stat status;
    const bool known = fstat(fd_, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
      close(fd_);
      const std::string kind = known ? KindOf(status.st_mode) : "something else";
      throw std::runtime_error(name_ + ": expected a regular file, found " + kind);
    }
    size_ = static_cast<uint64_t>(status.st_size);
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }

  // Not a mapping: another process that cuts the file short gives us an error here instead of a signal.
  void ReadAt(uint64_t offset, void* data, uint64_t size) const {
    char* next = static_cast<char*>(data);
    while (size > 0) {
      const ssize_t got = pread(fd_, next, size, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw std::runtime_error(name_ + ": cannot read: " + std::strerror(errno));
      if (got == 0) {
        throw std::runtime_error(name_ + ": the file shrank while it was read: expected " + std::to_string(size_) +
                                 " bytes, found " + std::to_string(offset));
      }
      next += got;
      offset += static_cast<uint64_t>(got);
      size -= static_cast<uint64_t>(got);
    }
  }

 private:
  std::string name_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path) : file_(std::make_shared<File>(path)) {
  const auto fail = [&](const std::string& message) { throw std::runtime_error(file_->name() + ": " + message); };
  if (file_->size() < kLengthBytes) {
    fail("too small for a safetensors file: expected at least 8 bytes, found " + std::to_string(file_->size()));
  }
  uint64_t length = 0;
  file_->ReadAt(0, &length, sizeof(length));
  // Before any memory is asked for: these eight bytes are all it takes to name 2^64 - 1.
  if (length > kMaxHeaderBytes) {
    fail("the header length is too large for a safetensors file: expected at most " + std::to_string(kMaxHeaderBytes) +
         " bytes, found " + std::to_string(length));
  }
  if (length > file_->size() - kLengthBytes) {
    fail("the header does not fit in the file: expected " + std::to_string(length) +
         " bytes behind the first 8, found " + std::to_string(file_->size() - kLengthBytes));
  }
  data_start_ = kLengthBytes + length;
  std::string text(length, ' ');
  file_->ReadAt(kLengthBytes, text.data(), length);
  header_ = ParseSafetensorsHeader(text, file_->size() - data_start_, file_->name());
  for (size_t i = 0; i < header_.entries.size(); ++i) by_name_.emplace(header_.entries[i].name, i);
}

void SafetensorsReader::FailAt(const TensorEntry& entry, const std::string& message) const {
  throw std::runtime_error(file_->name() + ": tensor " + QuoteName(entry.name) + message);
}

const TensorEntry& SafetensorsReader::Entry(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return header_.entries[found->second];
  throw std::runtime_error(file_->name() + ": expected a tensor " + QuoteName(name) + ", found none among its " +
                           std::to_string(header_.entries.size()) + " tensors");
}

Tensor SafetensorsReader::ReadReal(const std::string& name) const {
  const TensorEntry& entry = Entry(name);
  Shape shape;
  try {
    shape = ToShape(entry.shape);
  } catch (const std::invalid_argument& error) {
    FailAt(entry, std::string(" has a shape that is not supported here: ") + error.what());
  }
  if (entry.dtype == "F32") return ReadAs<float>(entry, shape);
  if (entry.dtype == "F64") return ReadAs<double>(entry, shape);
  FailAt(entry, " is stored as " + entry.dtype + ", which is not supported here; expected F32 or F64");
}

template <typename Stored>
Tensor SafetensorsReader::ReadAs(const TensorEntry& entry, Shape shape) const {
  Tensor tensor = Tensor::Uninitialized(shape);
  std::vector<Stored> chunk(static_cast<size_t>(std::min(kChunk, tensor.size())));
  for (Index start = 0; start < tensor.size(); start += kChunk) {
    const Index count = std::min(kChunk, tensor.size() - start);
    const uint64_t offset = static_cast<uint64_t>(start) * sizeof(Stored);
    file_->ReadAt(data_start_ + entry.begin + offset, chunk.data(), static_cast<uint64_t>(count) * sizeof(Stored));
    for (Index i = 0; i < count; ++i) {
      const Real value = static_cast<Real>(chunk[i]);
      tensor[start + i] = value;
      if (std::isfinite(value)) continue;
      const std::string found = std::isnan(value) ? "NaN" : std::isinf(chunk[i]) ? "infinity" : "an overflow in F32";
      FailAt(entry, " of shape " + shape.ToString() + " holds " + found + " at index " + std::to_string(start + i) +
                        ", expected finite numbers");
    }
  }
  return tensor;
}

std::vector<int64_t> SafetensorsReader::ReadInts(const std::string& name) const {
  const TensorEntry& entry = Entry(name);
  if (entry.dtype != "I64") FailAt(entry, " is stored as " + entry.dtype + ", expected I64");
  std::vector<int64_t> values((entry.end - entry.begin) / sizeof(int64_t));
  file_->ReadAt(data_start_ + entry.begin, values.data(), entry.end - entry.begin);
  return values;
}

namespace {

[[noreturn]] void Reject(const std::filesystem::path& path, const std::string& message) {
  throw std::invalid_argument(path.string() + ": cannot write " + message);
}

std::string JsonString(const std::filesystem::path& path, const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    Reject(path, "the name or metadata " + QuoteName(text) + ", expected UTF-8");
  }
}

std::vector<const NamedTensor*> InNameOrder(const std::filesystem::path& path,
                                            const std::vector<NamedTensor>& tensors) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == "__metadata__") Reject(path, "a tensor named __metadata__, which the format reserves");
    if (tensor.value.empty()) Reject(path, "tensor " + QuoteName(tensor.name) + ", which is absent");
    order.push_back(&tensor);
  }
  const auto before = [](const NamedTensor* a, const NamedTensor* b) { return a->name < b->name; };
  std::sort(order.begin(), order.end(), before);
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->name == order[i]->name) Reject(path, "two tensors named " + QuoteName(order[i]->name));
  }
  return order;
}

std::string HeaderText(const std::filesystem::path& path, const std::vector<const NamedTensor*>& tensors,
                       const std::map<std::string, std::string>& metadata, StoredType type) {
  std::string text = "{";
  for (const auto& [key, value] : metadata) {
    text += text.size() == 1 ? "\"__metadata__\":{" : ",";
    text += JsonString(path, key) + ":" + JsonString(path, value);
  }
  if (!metadata.empty()) text += "}";
  const Index width = type == StoredType::kF32 ? 4 : 8;
  Index begin = 0;
  for (const NamedTensor* tensor : tensors) {
    const Index end = begin + tensor->value.size() * width;
    std::string shape;
    for (int i = 0; i < tensor->value.shape().rank(); ++i) {
      shape += (i ? "," : "") + std::to_string(tensor->value.dim(i));
    }
    if (text.size() > 1) text += ",";
    text += JsonString(path, tensor->name) + ":{\"dtype\":\"" + (type == StoredType::kF32 ? "F32" : "F64") +
            "\",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) +
            "]}";
    begin = end;
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeaderBytes)
    Reject(path, "a header of more than " + std::to_string(kMaxHeaderBytes) + " bytes");
  return text;
}

template <typename Stored>
void WriteNumbers(AtomicFile& file, const std::filesystem::path& path, const NamedTensor& tensor) {
  std::vector<Stored> chunk(static_cast<size_t>(std::min(kChunk, tensor.value.size())));
  for (Index start = 0; start < tensor.value.size(); start += kChunk) {
    const Index count = std::min(kChunk, tensor.value.size() - start);
    for (Index i = 0; i < count; ++i) {
      chunk[i] = static_cast<Stored>(tensor.value[start + i]);
      if (std::isfinite(chunk[i])) continue;
      Reject(path, "tensor " + QuoteName(tensor.name) + " of shape " + tensor.value.shape().ToString() +
                       ": expected finite numbers, found " + std::to_string(chunk[i]) + " at index " +
                       std::to_string(start + i));
    }
    file.Write(chunk.data(), static_cast<size_t>(count) * sizeof(Stored));
  }
}

}  // namespace

void WriteSafetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata, StoredType type) {
  const std::vector<const NamedTensor*> order = InNameOrder(path, tensors);
  const std::string header = HeaderText(path, order, metadata, type);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.Write(&length, sizeof(length));
  file.Write(header.data(), header.size());
  for (const NamedTensor* tensor : order) {
    if (type == StoredType::kF32) {
      WriteNumbers<float>(file, path, *tensor);
    } else {
      WriteNumbers<double>(file, path, *tensor);
    }
  }
  file.Commit();
}

}  // namespace ampgrad::models
