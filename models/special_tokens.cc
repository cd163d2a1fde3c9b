#include "models/special_tokens.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>

namespace ampgrad::models {

namespace {

void RequireToken(Index id, const char* key, Index vocabulary, const io::JsonObject& object) {
  if (id < vocabulary) return;
  throw std::runtime_error(object.where() + ": expected " + key + " below vocab_size, found " + std::to_string(id) +
                           " of " + std::to_string(vocabulary));
}

}  // namespace

SpecialTokens SpecialTokens::FromJson(const io::JsonObject& object, Index vocabulary, const SpecialTokens& fallback) {
  constexpr Index kMax = (Index{1} << 31) - 1;
  SpecialTokens tokens;
  if (!object.json().contains("bos_token_id") && fallback.begin.value_or(vocabulary) < vocabulary) {
    tokens.begin = fallback.begin;
  }
  if (!object.json().contains("eos_token_id")) {
    std::ranges::copy_if(fallback.end, std::back_inserter(tokens.end), [=](int id) { return id < vocabulary; });
  }
  const Index begin = object.Integer("bos_token_id", -1, 0, kMax);
  RequireToken(begin, "bos_token_id", vocabulary, object);
  if (begin >= 0) tokens.begin = static_cast<int>(begin);
  for (const Index id : object.Integers("eos_token_id", 0, kMax)) {
    RequireToken(id, "eos_token_id", vocabulary, object);
    tokens.end.push_back(static_cast<int>(id));
  }
  return tokens;
}

void SpecialTokens::AddTo(nlohmann::json& config) const {
  config["bos_token_id"] = begin ? nlohmann::json(*begin) : nlohmann::json();
  config["eos_token_id"] = end.empty()       ? nlohmann::json()
                           : end.size() == 1 ? nlohmann::json(end[0])
                                             : nlohmann::json(end);
}

std::vector<int> SpecialTokens::Stops() const {
  std::vector<int> stops = end;
  if (begin) stops.push_back(*begin);
  return stops;
}

}  // namespace ampgrad::models
