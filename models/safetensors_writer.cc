#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "models/atomic_file.h"
#include "models/safetensors.h"

namespace ampgrad::models {
namespace {

// Numbers converted at a time: keeps the buffer within the cache.
constexpr Index kChunk = 8192;

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
