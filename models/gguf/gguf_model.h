#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/io/gguf/gguf_reader.h"

namespace ampgrad::models {

/// A model in the form of llama.cpp: one GGUF file, or the parts of a split one, NAME-00001-of-0000N.gguf, of which the
/// first is named. Every error is a std::runtime_error in a sentence that names the file.
class GgufModel {
 public:
  /// Opens all parts and checks their layout. Throws when the file is not the first part, a part is missing, or a
  /// tensor is in two parts; when the architecture is neither "llama" nor "gpt2"; and for an adapter.
  explicit GgufModel(const std::filesystem::path& file);

  /// The first file, for messages.
  const std::string& file() const { return parts_[0].file(); }
  /// "llama" or "gpt2".
  const std::string& architecture() const { return architecture_; }
  /// A value of the header, and one under "<architecture>.".
  io::JsonValue Value(const std::string& key) const { return parts_[0].Value(key); }
  io::JsonValue Own(const std::string& key) const { return Value(architecture_ + "." + key); }

  const std::vector<io::GgufReader>& parts() const { return parts_; }
  /// The part that holds a tensor, or null.
  const io::GgufReader* PartWith(const std::string& tensor) const;

 private:
  void OpenOtherParts(const std::filesystem::path& file, Index count);

  std::vector<io::GgufReader> parts_;
  std::string architecture_;
};

}  // namespace ampgrad::models
