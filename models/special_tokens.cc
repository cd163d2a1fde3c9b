#include "models/special_tokens.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tensor/io/note.h"

namespace ampgrad::models {

namespace {

// Whether an id is a token of the model. A configuration that was made without its tokenizer names the ids of the model
// family, which a smaller vocabulary lacks: these never come, so they are left out.
bool IsToken(Index id, const char* key, Index vocabulary, const std::vector<int>& defaults,
             const io::JsonValue& config) {
  if (id < vocabulary) return id >= 0;
  if (std::ranges::count(defaults, id) > 0) {
    io::Note(config.file() + ": " + key + " = " + std::to_string(id) +
             " is not used: it is the default of the model family, and vocab_size is " + std::to_string(vocabulary));
    return false;
  }
  config.Fail(std::string(key) + " below vocab_size", std::to_string(id) + " of " + std::to_string(vocabulary));
}

}  // namespace

SpecialTokens SpecialTokens::FromJson(const io::JsonValue& config, Index vocabulary, const SpecialTokens& fallback) {
  constexpr Index kMax = (Index{1} << 31) - 1;
  SpecialTokens tokens;
  // Here missing and null differ: null says that the model has no such token.
  if (!config.json().contains("bos_token_id") && fallback.begin.value_or(vocabulary) < vocabulary) {
    tokens.begin = fallback.begin;
  }
  if (!config.json().contains("eos_token_id")) {
    std::ranges::copy_if(fallback.end, std::back_inserter(tokens.end), [=](int id) { return id < vocabulary; });
  }
  const Index begin = config.Field("bos_token_id").IntegerOr(-1, 0, kMax);
  const std::vector<int> begin_default = {fallback.begin.value_or(-1)};
  if (IsToken(begin, "bos_token_id", vocabulary, begin_default, config)) tokens.begin = static_cast<int>(begin);
  for (const Index id : config.Field("eos_token_id").Integers(0, kMax)) {
    if (IsToken(id, "eos_token_id", vocabulary, fallback.end, config)) tokens.end.push_back(static_cast<int>(id));
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
