#include "tensor/io/json.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unordered_set>

#include "tensor/io/text_file.h"

namespace ampgrad::io {
namespace {

std::string Cut(const std::string& text) {
  constexpr size_t kLongest = 200;
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "…";
}

// JSON text in printable ASCII, whatever bytes the value's strings hold: a message must neither fail itself nor send
// control codes to a terminal.
std::string Dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// Text made safe for a message.
std::string Plain(const std::string& text) {
  const std::string quoted = Dump(text);
  return Cut(quoted.substr(1, quoted.size() - 2));
}

const nlohmann::json& Missing() {
  static const nlohmann::json null;
  return null;
}

bool IsInteger(const nlohmann::json& value, Index min, Index max) {
  return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX) &&
         value.get<Index>() >= min && value.get<Index>() <= max;
}

std::string RangeText(Index min, Index max) { return std::to_string(min) + ".." + std::to_string(max); }

}  // namespace

nlohmann::json ParseJson(std::string_view text, const std::string& where) {
  constexpr int kMaxDepth = 64;
  if (text.starts_with("\xEF\xBB\xBF"))
    throw std::runtime_error(where + ": not valid JSON: it starts with a byte-order mark");
  // The keys of the open objects, by depth. The parser itself would silently keep the last of two equal keys.
  std::vector<std::unordered_set<std::string>> keys(kMaxDepth + 2);
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth > kMaxDepth) throw std::runtime_error(where + ": JSON nested deeper than " + std::to_string(kMaxDepth));
    if (event == nlohmann::json::parse_event_t::object_start) keys[depth + 1].clear();
    if (event == nlohmann::json::parse_event_t::key && !keys[depth].insert(value.get<std::string>()).second) {
      throw std::runtime_error(where + ": the key " + JsonValue::Shown(value) + " stands twice");
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, check);
  } catch (const nlohmann::json::exception& e) {
    // "[json.exception.parse_error.101] parse error at …": the bracketed part means nothing to a user.
    const std::string message = e.what();
    throw std::runtime_error(where + ": not valid JSON: " + Plain(message.substr(message.find("] ") + 2)));
  }
}

nlohmann::json ParseJsonObject(std::string_view text, const std::string& where) {
  nlohmann::json json = ParseJson(text, where);
  if (!json.is_object()) throw std::runtime_error(where + ": expected a JSON object, found " + json.type_name());
  return json;
}

nlohmann::json ReadJsonObject(const std::filesystem::path& path) {
  constexpr uint64_t kLimit = 256 << 20;
  return ParseJsonObject(ReadTextFile(path, kLimit), path.string());
}

JsonValue JsonValue::Field(const std::string& key) const {
  if (!json_->is_object()) Fail("an object");
  const auto it = json_->find(key);
  return {it == json_->end() ? Missing() : *it, file_, name_.empty() ? key : name_ + "." + key};
}

JsonValue JsonValue::Item(size_t index) const {
  if (!json_->is_array()) Fail("an array");
  return {index < json_->size() ? (*json_)[index] : Missing(), file_, name_ + "[" + std::to_string(index) + "]"};
}

JsonItems JsonValue::Items() const {
  if (!json_->is_array()) Fail("an array");
  return {*this, json_->size()};
}

bool JsonValue::null() const { return json_->is_null(); }

const std::string& JsonValue::String() const {
  if (!json_->is_string()) Fail("a string");
  return json_->get_ref<const std::string&>();
}

const std::string& JsonValue::NonEmptyString() const {
  if (String().empty()) Fail("a string that is not empty");
  return String();
}

bool JsonValue::Boolean() const {
  if (!json_->is_boolean()) Fail("true or false");
  return json_->get<bool>();
}

Index JsonValue::Integer(Index min, Index max) const {
  if (!IsInteger(*json_, min, max)) Fail("an integer in " + RangeText(min, max));
  return json_->get<Index>();
}

std::vector<Index> JsonValue::Integers(Index min, Index max) const {
  if (null()) return {};
  const nlohmann::json list = json_->is_array() ? *json_ : nlohmann::json::array({*json_});
  for (const nlohmann::json& element : list) {
    if (!IsInteger(element, min, max)) Fail("an integer or a list of integers in " + RangeText(min, max));
  }
  return list.get<std::vector<Index>>();
}

double JsonValue::Number() const {
  if (!json_->is_number()) Fail("a number");
  return json_->get<double>();
}

double JsonValue::Positive() const {
  const bool fits = json_->is_number() && json_->get<double>() > 0 && std::isfinite(json_->get<double>());
  if (!fits) Fail("a number over 0");
  return json_->get<double>();
}

void JsonValue::RefuseUnless(bool supported) const {
  if (BooleanOr(supported) == supported) return;
  throw std::runtime_error(file_ + ": " + ShownName() + " = " + (supported ? "false" : "true") + " is not supported");
}

void JsonValue::Fail(const std::string& expected) const { Fail(ShownName() + " to be " + expected, Shown(*json_)); }

void JsonValue::Fail(const std::string& what, const std::string& found) const {
  throw std::runtime_error(file_ + ": expected " + what + ", found " + found);
}

std::string JsonValue::Shown(const nlohmann::json& json) {
  if (json.is_null()) return "nothing";
  if (json.is_structured() && json.size() > 20) {
    return std::string("an ") + json.type_name() + " of " + std::to_string(json.size());
  }
  return Cut(Dump(json));
}

std::string JsonValue::ShownName() const { return name_.empty() ? "the file" : Plain(name_); }

}  // namespace ampgrad::io
