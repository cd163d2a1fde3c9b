#include "models/tokenizer/vocabulary.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace ampgrad::models {

void Vocabulary::Add(const io::JsonValue& vocab) {
  if (!vocab.json().is_object()) vocab.Fail("an object of tokens and ids");
  id_of_.reserve(vocab.json().size());
  token_of_.reserve(vocab.json().size());
  for (const auto& [token, value] : vocab.json().items()) {
    const int id = static_cast<int>(vocab.Field(token).Integer(0, INT32_MAX - 1));
    if (!Add(token, id)) {
      vocab.Fail("each id once", "the id " + std::to_string(id) + " for " + io::JsonValue::Shown(*Token(id)) +
                                     " and for " + io::JsonValue::Shown(token));
    }
  }
}

bool Vocabulary::Add(const std::string& token, int id) {
  if (token_of_.contains(id)) return false;
  const auto it = id_of_.emplace(token, id).first;
  token_of_.emplace(id, &it->first);
  largest_ = std::max<Index>(largest_, id);
  return true;
}

std::optional<int> Vocabulary::Id(std::string_view token) const {
  const auto it = id_of_.find(token);
  return it == id_of_.end() ? std::nullopt : std::optional(it->second);
}

const std::string* Vocabulary::Token(int id) const {
  const auto it = token_of_.find(id);
  return it == token_of_.end() ? nullptr : it->second;
}

}  // namespace ampgrad::models
