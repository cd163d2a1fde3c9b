#include "tensor/io/gguf/gguf_reader.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include "tensor/io/finite.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/safetensors_header.h"

namespace ampgrad::io {

GgufReader::GgufReader(const std::filesystem::path& path) : file_(std::make_shared<MappedFile>(path)) {
  header_ = ParseGgufHeader(std::string_view(file_->data(), file_->size()), file_->name());
  for (size_t i = 0; i < header_.tensors.size(); ++i) by_name_.emplace(header_.tensors[i].name, i);
}

const std::string& GgufReader::file() const { return file_->name(); }

const GgufTensor& GgufReader::Entry(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return header_.tensors[found->second];
  throw std::runtime_error(file() + ": expected a tensor " + QuoteName(name) + ", found none among its " +
                           std::to_string(header_.tensors.size()) + " tensors");
}

StoredTensor GgufReader::ReadStored(const std::string& name) const {
  const GgufTensor& entry = Entry(name);
  file_->RequireWhole();
  const StoredType type = StoredTypeOf(entry.type);
  const StoredTensor stored(type, entry.shape, {file_, file_->data() + entry.begin});
  const Index first = FirstNotFinite(type, stored.data(), entry.shape.size());
  if (first == entry.shape.size()) return stored;
  throw std::runtime_error(file() + ": tensor " + QuoteName(name) + " of shape " + entry.shape.ToString() +
                           " holds NaN or infinity at index " + std::to_string(first) + ", expected finite numbers");
}

bool IsGguf(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  char start[4] = {};
  std::ifstream(path, std::ios::binary).read(start, sizeof(start));
  return std::memcmp(start, "GGUF", sizeof(start)) == 0;
}

}  // namespace ampgrad::io
