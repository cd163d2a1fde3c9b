#include "tensor/io/json_file.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <unordered_set>
#include <vector>

namespace ampgrad::io {

std::string ReadTextFile(const std::filesystem::path& path, uint64_t limit) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw std::runtime_error(path.string() + ": no such file");
  if (!std::filesystem::is_regular_file(status)) throw std::runtime_error(path.string() + ": not a regular file");
  const uint64_t size = std::filesystem::file_size(path, error);
  if (size > limit) {
    throw std::runtime_error(path.string() + ": expected at most " + std::to_string(limit) + " bytes, found " +
                             std::to_string(size));
  }
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    throw std::runtime_error(path.string() + ": cannot be read");
  return text;
}

nlohmann::json ParseJson(std::string_view text, const std::string& where) {
  constexpr int kMaxDepth = 64;
  if (text.starts_with("\xEF\xBB\xBF"))
    throw std::runtime_error(where + ": not valid JSON: it starts with a byte-order mark");
  // The keys of the objects that are open, by depth; the parser itself would silently keep the last of two.
  std::vector<std::unordered_set<std::string>> keys(kMaxDepth + 2);
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth > kMaxDepth) throw std::runtime_error(where + ": JSON nested deeper than " + std::to_string(kMaxDepth));
    if (event == nlohmann::json::parse_event_t::object_start) keys[depth + 1].clear();
    if (event == nlohmann::json::parse_event_t::key && !keys[depth].insert(value.get<std::string>()).second) {
      throw std::runtime_error(where + ": the key \"" + value.get<std::string>() + "\" stands twice");
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, check);
  } catch (const nlohmann::json::exception& e) {
    // "[json.exception.parse_error.101] parse error at …": the bracketed part says nothing to a user.
    const std::string message = e.what();
    throw std::runtime_error(where + ": not valid JSON: " + message.substr(message.find("] ") + 2));
  }
}

nlohmann::json ReadJsonObject(const std::filesystem::path& path) {
  constexpr uint64_t kLimit = 256 << 20;
  nlohmann::json json = ParseJson(ReadTextFile(path, kLimit), path.string());
  if (!json.is_object())
    throw std::runtime_error(path.string() + ": expected a JSON object, found " + json.type_name());
  return json;
}

static bool IsInteger(const nlohmann::json& value, Index min, Index max) {
  return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX) &&
         value.get<Index>() >= min && value.get<Index>() <= max;
}

const nlohmann::json* JsonObject::Find(const std::string& key) const {
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

void JsonObject::Fail(const std::string& key, const std::string& expected) const {
  throw std::runtime_error(file_ + ": expected " + key + " to be " + expected + ", found " + json_.at(key).dump());
}

std::optional<JsonObject> JsonObject::Object(const std::string& key) const {
  const nlohmann::json* value = Find(key);
  if (!value) return {};
  if (!value->is_object()) Fail(key, "an object");
  if (value->empty()) return {};
  return JsonObject(*value, file_ + ": " + key);
}

Index JsonObject::Integer(const std::string& key, Index fallback, Index min, Index max) const {
  const nlohmann::json* value = Find(key);
  if (!value) return fallback;
  if (!IsInteger(*value, min, max)) Fail(key, "an integer in " + std::to_string(min) + ".." + std::to_string(max));
  return value->get<Index>();
}

std::vector<Index> JsonObject::Integers(const std::string& key, Index min, Index max) const {
  const nlohmann::json* value = Find(key);
  if (!value) return {};
  const nlohmann::json list = value->is_array() ? *value : nlohmann::json::array({*value});
  for (const nlohmann::json& element : list) {
    if (IsInteger(element, min, max)) continue;
    Fail(key, "an integer or a list of integers in " + std::to_string(min) + ".." + std::to_string(max));
  }
  return list.get<std::vector<Index>>();
}

double JsonObject::Positive(const std::string& key, double fallback) const {
  const nlohmann::json* value = Find(key);
  if (!value) return fallback;
  if (!value->is_number() || !(value->get<double>() > 0) || !std::isfinite(value->get<double>())) {
    Fail(key, "a number over 0");
  }
  return value->get<double>();
}

bool JsonObject::Boolean(const std::string& key, bool fallback) const {
  const nlohmann::json* value = Find(key);
  if (!value) return fallback;
  if (!value->is_boolean()) Fail(key, "true or false");
  return value->get<bool>();
}

std::string JsonObject::String(const std::string& key, const std::string& fallback) const {
  const nlohmann::json* value = Find(key);
  if (!value) return fallback;
  if (!value->is_string()) Fail(key, "a string");
  return value->get<std::string>();
}

void JsonObject::Refuse(const std::string& key, bool supported) const {
  if (Boolean(key, supported) != supported) {
    throw std::runtime_error(file_ + ": " + key + " = " + (supported ? "false" : "true") + " is not supported");
  }
}

}  // namespace ampgrad::io
