#include "models/files/gguf_files.h"

#include <cstring>
#include <stdexcept>

#include "tensor/io/gguf/gguf_names.h"
#include "tensor/io/safetensors_header.h"

namespace ampgrad::models {
namespace {

// Row `order[i]` of the result is row i of `stored`, a matrix, or a vector of numbers.
StoredTensor PlaceRows(const StoredTensor& stored, const std::vector<Index>& order) {
  const size_t rows = order.size(), row = static_cast<size_t>(stored.bytes()) / rows;
  Tensor copy = StorageOf(stored.type(), stored.shape().size());
  const char* from = static_cast<const char*>(stored.data());
  char* const to = reinterpret_cast<char*>(copy.data());
  for (size_t i = 0; i < rows; ++i) std::memcpy(to + static_cast<size_t>(order[i]) * row, from + i * row, row);
  return StoredTensor(stored.type(), stored.shape(), copy);
}

}  // namespace

GgufFiles::GgufFiles(const std::filesystem::path& file) : model_(file) {
  for (const io::GgufReader& part : model_.parts()) {
    for (const io::GgufTensor& tensor : part.header().tensors) {
      if (tensor.name == "rope_freqs.weight") continue;  // part of the configuration
      const auto name = io::HuggingFaceName(model_.architecture(), tensor.name);
      if (!name) {
        throw std::runtime_error(part.file() + ": tensor " + io::QuoteName(tensor.name) + " belongs to no part of a " +
                                 model_.architecture());
      }
      stored_name_[*name] = tensor.name;
    }
  }
}

std::vector<std::string> GgufFiles::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, stored] : stored_name_) names.push_back(name);
  return names;
}

const std::string& GgufFiles::StoredName(const std::string& name) const {
  const auto found = stored_name_.find(name);
  if (found != stored_name_.end()) return found->second;
  throw std::runtime_error(file() + ": expected a tensor " + io::QuoteName(name) + ", found none among its " +
                           std::to_string(stored_name_.size()) + " tensors");
}

// GPT-2's block matrices are [out, in] in GGUF and [in, out] in Hugging Face's form.
bool GgufFiles::IsTransposed(const std::string& name) const {
  return model_.architecture() == "gpt2" && name.starts_with("h.") &&
         Part(name).Entry(StoredName(name)).shape.rank() == 2;
}

// How many heads' rows stand in pairs; 0 where rows stand in order.
Index GgufFiles::PairedHeads(const std::string& name) const {
  const auto of = io::PairedHeadsOf(model_.architecture(), name);
  if (of == io::PairedHeads::kNone) return 0;
  const Index heads = model_.Own("attention.head_count").Integer(1, INT32_MAX);
  const bool queries = of == io::PairedHeads::kQueries;
  return queries ? heads : model_.Own("attention.head_count_kv").IntegerOr(heads, 1, INT32_MAX);
}

Shape GgufFiles::ShapeOf(const std::string& name) const {
  const Shape& shape = Part(name).Entry(StoredName(name)).shape;
  return IsTransposed(name) ? Shape{shape.dim(1), shape.dim(0)} : shape;
}

StoredTensor GgufFiles::ReadStored(const std::string& name) const {
  const StoredTensor stored = Part(name).ReadStored(StoredName(name));
  if (IsTransposed(name)) return stored.Transposed();
  const Index heads = PairedHeads(name), rows = stored.shape().dim(0);
  if (heads == 0) return stored;
  if (rows % (2 * heads) != 0) {
    throw std::runtime_error(FileOf(name) + ": expected the rows of tensor " + io::QuoteName(StoredName(name)) +
                             " to be pairs in each of " + std::to_string(heads) + " heads, found " +
                             std::to_string(rows));
  }
  return PlaceRows(stored, io::PairedRows(rows, heads));
}

}  // namespace ampgrad::models
