#include "tensor/io/safetensors_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tensor/io/printable.h"
#include "tensor/io/safetensors_header.h"
#include "tensor/io/write_numbers.h"

namespace ampgrad::io {
namespace {

std::string JsonString(const std::filesystem::path& path, const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    RefuseToWrite(path, "the name or metadata " + QuoteName(text) + ", expected UTF-8");
  }
}

// Checks the names and sorts the tensors into the order of the file.
std::vector<TensorPlan> Ordered(const std::filesystem::path& path, std::vector<TensorPlan> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorPlan& a, const TensorPlan& b) { return a.name < b.name; });
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].name;
    if (name == "__metadata__") RefuseToWrite(path, "a tensor named __metadata__, which the format reserves");
    if (i > 0 && tensors[i - 1].name == name) RefuseToWrite(path, "two tensors named " + QuoteName(name));
    if (HasBlocks(tensors[i].type)) {
      RefuseToWrite(path, "tensor " + QuoteName(name) + " in blocks of " + ToString(tensors[i].type) +
                              ", which safetensors has no type for");
    }
  }
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorPlan& a, const TensorPlan& b) { return BytesOf(a.type) > BytesOf(b.type); });
  return tensors;
}

std::string EntryText(const std::filesystem::path& path, const TensorPlan& tensor, Index begin, Index end) {
  std::string shape;
  for (int i = 0; i < tensor.shape.rank(); ++i) shape += (i ? "," : "") + std::to_string(tensor.shape.dim(i));
  return JsonString(path, tensor.name) + ":{\"dtype\":\"" + ToString(tensor.type) + "\",\"shape\":[" + shape +
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
    RefuseToWrite(path, "a header of more than " + std::to_string(kMaxHeaderBytes) + " bytes");
  return text;
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
  if (written_ == order_.size()) RefuseToWrite(path_, "one more tensor than was declared");
  const TensorPlan& plan = order_[written_];
  if (value.shape() != plan.shape) {
    RefuseToWrite(path_, "tensor " + QuoteName(plan.name) + ": expected the shape " + plan.shape.ToString() +
                             " that was declared, found " + value.shape().ToString());
  }
  WriteNumbers(file_, plan.type, value.Widened(),
               path_.string() + ": cannot write tensor " + QuoteName(plan.name) + " of shape " + plan.shape.ToString());
  ++written_;
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
    if (tensor.value.empty()) RefuseToWrite(path, "tensor " + QuoteName(tensor.name) + ", which is absent");
    plans.push_back({tensor.name, type, tensor.value.shape()});
    value_of[tensor.name] = &tensor.value;
  }
  SafetensorsWriter writer(path, std::move(plans), metadata);
  for (const TensorPlan& plan : writer.order()) writer.Write(*value_of[plan.name]);
  writer.Commit();
}

}  // namespace ampgrad::io
