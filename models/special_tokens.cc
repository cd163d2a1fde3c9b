#include "models/special_tokens.h"

namespace ampgrad::models {

SpecialTokens SpecialTokens::FromJson(const JsonObject& object) {
  constexpr Index kMax = (Index{1} << 31) - 1;
  SpecialTokens tokens;
  const Index begin = object.Integer("bos_token_id", -1, 0, kMax);
  if (begin >= 0) tokens.begin = static_cast<int>(begin);
  for (const Index id : object.Integers("eos_token_id", 0, kMax)) tokens.end.push_back(static_cast<int>(id));
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
