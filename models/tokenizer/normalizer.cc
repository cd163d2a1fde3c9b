#include "models/tokenizer/normalizer.h"

#include <algorithm>

#include "models/unicode/normal_form.h"

namespace ampgrad::models {
namespace {

constexpr size_t kMaxSteps = 8;
constexpr size_t kMaxGrowth = 64;  // so that a few lines of a file cannot turn a short text into gigabytes

void AddSteps(const io::JsonValue& item, const std::string& key, std::vector<io::JsonValue>& steps) {
  if (item.null()) return;
  if (item.Field("type").String() != "Sequence") {
    steps.push_back(item);
    return;
  }
  for (const io::JsonValue& step : item.Field(key).Items()) AddSteps(step, key, steps);
}

}  // namespace

std::string ReplaceAll(std::string_view text, const std::string& pattern, const std::string& content) {
  std::string result;
  size_t at = 0;
  for (size_t found; (found = text.find(pattern, at)) != text.npos; at = found + pattern.size()) {
    result.append(text, at, found - at).append(content);
  }
  return result.append(text, at, text.npos);
}

Replacement::Replacement(const io::JsonValue& item, size_t& growth) {
  const io::JsonValue string = item.Field("pattern").Field("String");
  if (string.null()) item.Field("pattern").Fail("{\"String\": …}");
  pattern = string.NonEmptyString();
  content = item.Field("content").String();
  growth *= std::max<size_t>(1, (content.size() + pattern.size() - 1) / pattern.size());
  if (growth > kMaxGrowth) item.Field("content").Fail("so short that all steps lengthen a text at most 64 times");
}

std::vector<io::JsonValue> StepsOf(const io::JsonValue& item, const std::string& key) {
  std::vector<io::JsonValue> steps;
  AddSteps(item, key, steps);
  if (steps.size() > kMaxSteps) item.Field(key).Fail("at most 8 steps");
  return steps;
}

Normalizer::Normalizer(const io::JsonValue& item) {
  size_t growth = 1;
  for (const io::JsonValue& step : StepsOf(item, "normalizers")) {
    const io::JsonValue type = step.Field("type");
    if (type.String() == "Prepend") {
      const io::JsonValue prepend = step.Field("prepend");
      if (prepend.String().size() > kMaxGrowth) prepend.Fail("a string of at most 64 bytes");
      steps_.push_back(
          [start = prepend.String()](const std::string& text) { return text.empty() ? text : start + text; });
    } else if (type.String() == "Replace") {
      const Replacement replacement(step, growth);
      steps_.push_back([replacement](const std::string& text) {
        return ReplaceAll(text, replacement.pattern, replacement.content);
      });
    } else if (type.String() == "NFC") {
      steps_.push_back(NormalFormC);
    } else {
      type.Fail("\"NFC\", \"Prepend\", \"Replace\" or \"Sequence\"");
    }
  }
}

std::string Normalizer::Apply(std::string_view text) const {
  std::string result(text);
  for (const auto& step : steps_) result = step(result);
  return result;
}

}  // namespace ampgrad::models
