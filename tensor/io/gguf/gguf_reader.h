#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "tensor/io/gguf/gguf_header.h"
#include "tensor/io/json.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::io {

class MappedFile;

/// A GGUF file, mapped for reading; its tensors are read on demand. Copies of a reader share the mapping
/// (`ReportShrunkFiles` says what happens when the file is cut short). Every error is a std::runtime_error that names
/// the file and, if it concerns a tensor, the tensor.
class GgufReader {
 public:
  /// Opens a regular file and checks its layout (`ParseGgufHeader`); no number is read yet.
  explicit GgufReader(const std::filesystem::path& path);

  /// The path, for messages.
  const std::string& file() const;
  const GgufHeader& header() const { return header_; }
  /// The value under a key; null when there is none.
  JsonValue Value(const std::string& key) const { return JsonValue(header_.values, file()).Field(key); }
  bool Has(const std::string& name) const { return by_name_.contains(name); }
  const GgufTensor& Entry(const std::string& name) const;

  /// A tensor in its place in the mapping, which then lives as long as the result. Refuses NaN and infinity, be it as a
  /// number or as the scale of a block.
  StoredTensor ReadStored(const std::string& name) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  GgufHeader header_;
  std::map<std::string, size_t> by_name_;  // index into the tensors
};

/// Whether a path names a file whose first bytes are those of GGUF.
bool IsGguf(const std::filesystem::path& path);

}  // namespace ampgrad::io
