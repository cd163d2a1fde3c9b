#include "tensor/io/gguf/gguf_writer.h"

#include <set>
#include <stdexcept>

#include "tensor/io/gguf/gguf_header.h"
#include "tensor/io/printable.h"
#include "tensor/io/safetensors_header.h"
#include "tensor/io/write_numbers.h"

namespace ampgrad::io {
namespace {

constexpr Index kAlignment = 32;
constexpr size_t kLongestName = 63, kLongestKey = 65535;  // bytes

// The bytes of a header.
class HeaderBytes {
 public:
  std::string bytes;

  template <class Number>
  void Add(Number number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  void Add(const std::string& text) {
    Add<uint64_t>(text.size());
    bytes += text;
  }

  void AddTyped(const GgufValue& value) {
    std::visit([this](const auto& typed) { AddTyped(TypeOf(typed), typed); }, value);
  }

 private:
  static uint32_t TypeOf(const std::string&) { return kString; }
  static uint32_t TypeOf(uint32_t) { return kU32; }
  static uint32_t TypeOf(int32_t) { return kI32; }
  static uint32_t TypeOf(float) { return kF32; }
  static uint32_t TypeOf(bool) { return kBool; }
  template <class Item>
  static uint32_t TypeOf(const std::vector<Item>&) {
    return kArray;
  }

  template <class Value>
  void AddTyped(uint32_t type, const Value& value) {
    Add(type);
    Add(value);
  }
  template <class Item>
  void AddTyped(uint32_t type, const std::vector<Item>& items) {
    Add(type);
    Add(TypeOf(Item()));
    Add<uint64_t>(items.size());
    for (const Item& item : items) Add(item);
  }
};

Index BytesOf(const GgufTensorPlan& tensor) { return BytesOf(StoredTypeOf(tensor.type), tensor.shape.size()); }

Index Padding(Index bytes) { return (kAlignment - bytes % kAlignment) % kAlignment; }

void RequireReadable(const std::filesystem::path& path, const GgufValues& values,
                     const std::vector<GgufTensorPlan>& tensors) {
  std::set<std::string> keys, names;
  for (const auto& [key, value] : values) {
    if (key.empty() || key.size() > kLongestKey)
      RefuseToWrite(path, "a key of " + std::to_string(key.size()) + " bytes");
    if (!keys.insert(key).second) RefuseToWrite(path, "two values of " + QuoteName(key));
  }
  for (const GgufTensorPlan& tensor : tensors) {
    const std::string what = "tensor " + QuoteName(tensor.name);
    if (tensor.name.empty() || tensor.name.size() > kLongestName) {
      RefuseToWrite(path, what + ": expected a name of 1.." + std::to_string(kLongestName) + " bytes");
    }
    if (!names.insert(tensor.name).second) RefuseToWrite(path, "two tensors named " + QuoteName(tensor.name));
    const Index block = BlockOf(StoredTypeOf(tensor.type)).numbers;
    if (tensor.shape.size() == 0 || tensor.shape.rank() == 0 || tensor.shape.cols() % block != 0) {
      RefuseToWrite(path, what + ": expected rows of a multiple of " + std::to_string(block) +
                              " numbers, found the shape " + tensor.shape.ToString());
    }
  }
}

std::string HeaderText(const GgufValues& values, const std::vector<GgufTensorPlan>& tensors) {
  HeaderBytes header;
  header.bytes = "GGUF";
  header.Add<uint32_t>(3);
  header.Add<uint64_t>(tensors.size());
  header.Add<uint64_t>(values.size());
  for (const auto& [key, value] : values) {
    header.Add(key);
    header.AddTyped(value);
  }
  Index offset = 0;
  for (const GgufTensorPlan& tensor : tensors) {
    header.Add(tensor.name);
    header.Add(static_cast<uint32_t>(tensor.shape.rank()));
    for (int i = tensor.shape.rank() - 1; i >= 0; --i) header.Add(static_cast<uint64_t>(tensor.shape.dim(i)));
    header.Add(static_cast<uint32_t>(tensor.type));
    header.Add(static_cast<uint64_t>(offset));
    offset += BytesOf(tensor) + Padding(BytesOf(tensor));
  }
  header.bytes.append(static_cast<size_t>(Padding(static_cast<Index>(header.bytes.size()))), '\0');
  return header.bytes;
}

}  // namespace

GgufWriter::GgufWriter(const std::filesystem::path& path, const GgufValues& values, std::vector<GgufTensorPlan> tensors)
    : path_(path), tensors_(std::move(tensors)), file_(path) {
  RequireReadable(path, values, tensors_);
  const std::string header = HeaderText(values, tensors_);
  file_.Write(header.data(), header.size());
}

const GgufTensorPlan& GgufWriter::Next() const {
  if (written_ == tensors_.size()) RefuseToWrite(path_, "one more tensor than was declared");
  return tensors_[written_];
}

void GgufWriter::Finish(Index bytes) {
  const char zeros[kAlignment] = {};
  file_.Write(zeros, static_cast<size_t>(Padding(bytes)));
  ++written_;
}

void GgufWriter::Write(const Tensor& value) {
  const GgufTensorPlan& plan = Next();
  const std::string what = "tensor " + QuoteName(plan.name);
  const StoredType type = StoredTypeOf(plan.type);
  if (HasBlocks(type)) RefuseToWrite(path_, what + " as numbers, expected its blocks");
  if (value.shape() != plan.shape) {
    RefuseToWrite(path_, what + ": expected the shape " + plan.shape.ToString() + " that was declared, found " +
                             value.shape().ToString());
  }
  WriteNumbers(file_, type, value, path_.string() + ": cannot write " + what + " of shape " + plan.shape.ToString());
  Finish(BytesOf(plan));
}

void GgufWriter::WriteBlocks(const void* data, Index bytes) {
  const GgufTensorPlan& plan = Next();
  if (bytes != BytesOf(plan)) {
    RefuseToWrite(path_, "tensor " + QuoteName(plan.name) + ": expected " + std::to_string(BytesOf(plan)) +
                             " bytes, found " + std::to_string(bytes));
  }
  file_.Write(data, static_cast<size_t>(bytes));
  Finish(bytes);
}

void GgufWriter::Commit() {
  if (written_ < tensors_.size()) {
    throw std::logic_error(path_.string() + ": tensor " + QuoteName(tensors_[written_].name) + " was never written");
  }
  file_.Commit();
}

}  // namespace ampgrad::io
