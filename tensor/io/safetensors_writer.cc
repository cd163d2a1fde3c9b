#include "tensor/io/safetensors_writer.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tensor/io/safetensors_header.h"
#include "tensor/thread_pool.h"

namespace ampgrad::io {
namespace {

// Numbers converted between two writes, and numbers that one task converts.
constexpr Index kBlock = 1 << 20, kChunk = 1 << 14;

[[noreturn]] void Reject(const std::filesystem::path& path, const std::string& message) {
  throw std::invalid_argument(path.string() + ": cannot write " + message);
}

const char* NameOf(StoredType type) {
  switch (type) {
    case StoredType::kF64:
      return "F64";
    case StoredType::kF32:
      return "F32";
    case StoredType::kF16:
      return "F16";
    case StoredType::kBf16:
      break;
  }
  return "BF16";
}

std::string JsonString(const std::filesystem::path& path, const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    Reject(path, "the name or metadata " + QuoteName(text) + ", expected UTF-8");
  }
}

// Checks the names and sorts the tensors into the order of the file.
std::vector<TensorPlan> Ordered(const std::filesystem::path& path, std::vector<TensorPlan> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorPlan& a, const TensorPlan& b) { return a.name < b.name; });
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].name;
    if (name == "__metadata__") Reject(path, "a tensor named __metadata__, which the format reserves");
    if (i > 0 && tensors[i - 1].name == name) Reject(path, "two tensors named " + QuoteName(name));
  }
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorPlan& a, const TensorPlan& b) { return BytesOf(a.type) > BytesOf(b.type); });
  return tensors;
}

std::string EntryText(const std::filesystem::path& path, const TensorPlan& tensor, Index begin, Index end) {
  std::string shape;
  for (int i = 0; i < tensor.shape.rank(); ++i) shape += (i ? "," : "") + std::to_string(tensor.shape.dim(i));
  return JsonString(path, tensor.name) + ":{\"dtype\":\"" + NameOf(tensor.type) + "\",\"shape\":[" + shape +
         "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

std::string HeaderText(const std::filesystem::path& path, const std::vector<TensorPlan>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::string text = "{";
  for (const auto& [key, value] : metadata) {
    text += text.size() == 1 ? "\"__metadata__\":{" : ",";
    text += JsonString(path, key) + ":" + JsonString(path, value);
  }
  if (!metadata.empty()) text += "}";
  Index begin = 0;
  for (const TensorPlan& tensor : tensors) {
    const Index end = begin + tensor.shape.size() * BytesOf(tensor.type);
    if (text.size() > 1) text += ",";
    text += EntryText(path, tensor, begin, end);
    begin = end;
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeaderBytes)
    Reject(path, "a header of more than " + std::to_string(kMaxHeaderBytes) + " bytes");
  return text;
}

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

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorPlan> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : path_(path), order_(Ordered(path, std::move(tensors))), file_(path) {
  const std::string header = HeaderText(path, order_, metadata);
  const uint64_t length = header.size();
  file_.Write(&length, sizeof(length));
  file_.Write(header.data(), header.size());
}

void SafetensorsWriter::Write(const StoredTensor& value) {
  if (written_ == order_.size()) Reject(path_, "one more tensor than was declared");
  const TensorPlan& plan = order_[written_];
  if (value.shape() != plan.shape) {
    Reject(path_, "tensor " + QuoteName(plan.name) + ": expected the shape " + plan.shape.ToString() +
                      " that was declared, found " + value.shape().ToString());
  }
  const Tensor wide = value.Widened();
  if (plan.type == StoredType::kF32) WriteAs<float>(plan, wide);
  if (plan.type == StoredType::kF64) WriteAs<double>(plan, wide);
  if (plan.type == StoredType::kF16) WriteAs<Half>(plan, wide);
  if (plan.type == StoredType::kBf16) WriteAs<Bf16>(plan, wide);
  ++written_;
}

template <typename Stored>
void SafetensorsWriter::WriteAs(const TensorPlan& plan, const Tensor& value) {
  std::vector<Stored> block(static_cast<size_t>(std::min(kBlock, value.size())));
  for (Index start = 0; start < value.size(); start += kBlock) {
    const Index count = std::min(kBlock, value.size() - start);
    std::atomic<bool> finite{true};
    ParallelChunks(count, kChunk, [&](Index i, Index end) {
      bool all = true;
      for (; i < end; ++i) {
        Round(value[start + i], block[i]);
        all = all && IsFinite(block[i]);
      }
      if (!all) finite = false;
    });
    if (!finite) {
      const auto bad = std::find_if(block.begin(), block.end(), [](Stored x) { return !IsFinite(x); });
      Reject(path_, "tensor " + QuoteName(plan.name) + " of shape " + plan.shape.ToString() +
                        ": expected finite numbers, found " + std::to_string(ToDouble(*bad)) + " at index " +
                        std::to_string(start + (bad - block.begin())));
    }
    file_.Write(block.data(), static_cast<size_t>(count) * sizeof(Stored));
  }
}

void SafetensorsWriter::Commit() {
  if (written_ < order_.size()) {
    throw std::logic_error(path_.string() + ": tensor " + QuoteName(order_[written_].name) + " was never written");
  }
  file_.Commit();
}

void WriteSafetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata, StoredType type) {
  std::vector<TensorPlan> plans;
  std::map<std::string, const Tensor*> value_of;
  for (const NamedTensor& tensor : tensors) {
    if (tensor.value.empty()) Reject(path, "tensor " + QuoteName(tensor.name) + ", which is absent");
    plans.push_back({tensor.name, type, tensor.value.shape()});
    value_of[tensor.name] = &tensor.value;
  }
  SafetensorsWriter writer(path, std::move(plans), metadata);
  for (const TensorPlan& plan : writer.order()) writer.Write(*value_of[plan.name]);
  writer.Commit();
}

}  // namespace ampgrad::io
