#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// Tokens and their ids, both ways.
class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(const Vocabulary&) = delete;  // token_of_ of a copy would point into the original
  Vocabulary(Vocabulary&&) = default;

  /// Adds the tokens of an object {token: id}. Throws std::runtime_error for an id that is not an integer in 0..2³¹−2
  /// or that occurs twice.
  void Add(const io::JsonValue& vocab);
  /// Adds one token; false when the id is taken by another.
  bool Add(const std::string& token, int id);

  std::optional<int> Id(std::string_view token) const;
  /// Null for an id without a token.
  const std::string* Token(int id) const;
  /// Largest id + 1.
  Index size() const { return largest_ + 1; }
  /// Number of tokens; less than size() where ids are left out.
  Index tokens() const { return static_cast<Index>(id_of_.size()); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, int, Hash, std::equal_to<>> id_of_;
  std::unordered_map<int, const std::string*> token_of_;  // points into id_of_, whose keys never move
  Index largest_ = -1;
};

}  // namespace ampgrad::models
