#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::io {

/// The content of a regular file of at most `limit` bytes. Throws std::runtime_error naming the file.
std::string ReadTextFile(const std::filesystem::path& path, uint64_t limit = uint64_t{1} << 30);

/// Parses a JSON value, nested at most 64 deep; a key that stands twice in one object is refused. `where` is for messages: a
/// file, or a file and a line.
nlohmann::json ParseJson(std::string_view text, const std::string& where);

/// Parses a JSON file whose value is an object.
nlohmann::json ReadJsonObject(const std::filesystem::path& path);

/// The fields of a JSON object of a configuration file. A field that is null counts as absent, as in Hugging Face's
/// files; one of the wrong type or range throws std::runtime_error naming file and field.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& json, std::string file) : json_(json), file_(std::move(file)) {}

  const nlohmann::json& json() const { return json_; }
  /// The file, for messages; for an object within another, the file and the key.
  const std::string& where() const { return file_; }
  bool Has(const std::string& key) const { return Find(key) != nullptr; }
  /// The object under `key`; none when it is absent or empty.
  std::optional<JsonObject> Object(const std::string& key) const;
  Index Integer(const std::string& key, Index fallback, Index min, Index max) const;
  /// An integer, or a list of integers; none when the field is absent.
  std::vector<Index> Integers(const std::string& key, Index min, Index max) const;
  /// A finite number over 0.
  double Positive(const std::string& key, double fallback) const;
  bool Boolean(const std::string& key, bool fallback) const;
  std::string String(const std::string& key, const std::string& fallback) const;
  /// Throws unless the field is absent or has the only supported value.
  void Refuse(const std::string& key, bool supported) const;

 private:
  /// The field, or null.
  const nlohmann::json* Find(const std::string& key) const;
  [[noreturn]] void Fail(const std::string& key, const std::string& expected) const;

  const nlohmann::json& json_;
  std::string file_;
};

}  // namespace ampgrad::io
