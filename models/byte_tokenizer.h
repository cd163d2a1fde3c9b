#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::models {

/// The byte-level tokenizer of models trained here: one token a byte, no merges. Its tokenizer.json is a byte-level BPE
/// that Hugging Face's tokenizers library reads.
class ByteTokenizer {
 public:
  static constexpr Index kVocabulary = 256;
  /// The byte NUL, which no text holds, ends a text.
  static constexpr int kEndOfText = 0;

  /// Token id = byte value.
  ByteTokenizer();

  /// Reads a tokenizer.json. Throws std::runtime_error when it is any other kind of tokenizer.
  static ByteTokenizer FromFile(const std::filesystem::path& path);
  nlohmann::json ToJson() const;

  std::vector<int> Encode(std::string_view text) const;
  /// The bytes of `ids`. Throws std::invalid_argument for an id outside the vocabulary.
  std::string Decode(const std::vector<int>& ids) const;

 private:
  std::array<int, kVocabulary> id_of_byte_;
  std::array<unsigned char, kVocabulary> byte_of_id_;
};

}  // namespace ampgrad::models
