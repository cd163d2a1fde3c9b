#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::io {

/// The text of a value, on one line or indented. What is not UTF-8 in it, as a file's name may be, becomes U+FFFD.
std::string JsonText(const nlohmann::json& json, int indent = -1);
std::string JsonText(const nlohmann::ordered_json& json, int indent = -1);

/// Parses a JSON value, nested at most 64 deep and of at most four million values, so that a text of any kind takes a
/// bounded amount of memory. Refuses a key that occurs twice in one object, and NUL bytes. `where` names the source in
/// messages: a file, or a file and a line. Throws std::runtime_error.
nlohmann::json ParseJson(std::string_view text, const std::string& where);
/// The same, but the value must be an object.
nlohmann::json ParseJsonObject(std::string_view text, const std::string& where);
/// Parses a JSON file of at most 256 MiB whose value is an object. Throws std::runtime_error.
nlohmann::json ReadJsonObject(const std::filesystem::path& path);

class JsonItems;

/// A value in a JSON file together with its place, so that a reader can refuse it in a sentence:
/// "FILE: expected a.b[3] to be …, found …". Missing and null values are treated alike, as in Hugging Face's files.
/// Functions that read a value throw std::runtime_error when it has another type or range.
class JsonValue {
 public:
  /// The outermost value of `file` (or of a line: "FILE:LINE"). `json` must outlive every JsonValue made from it.
  JsonValue(const nlohmann::json& json, std::string file) : JsonValue(json, std::move(file), "") {}

  /// A member of an object, or an element of an array; null when it does not exist.
  JsonValue Field(const std::string& key) const;
  JsonValue Item(size_t index) const;
  bool Has(const std::string& key) const { return !Field(key).null(); }
  /// The elements of an array.
  JsonItems Items() const;

  bool null() const;
  const nlohmann::json& json() const { return *json_; }
  const std::string& file() const { return file_; }

  const std::string& String() const;
  const std::string& NonEmptyString() const;
  bool Boolean() const;
  Index Integer(Index min, Index max) const;
  /// One integer or a list of integers; an empty list for null.
  std::vector<Index> Integers(Index min, Index max) const;
  double Number() const;
  /// A finite number over 0.
  double Positive() const;

  // The value, or `fallback` for null.
  std::string StringOr(const std::string& fallback) const { return null() ? fallback : String(); }
  bool BooleanOr(bool fallback) const { return null() ? fallback : Boolean(); }
  Index IntegerOr(Index fallback, Index min, Index max) const { return null() ? fallback : Integer(min, max); }
  double PositiveOr(double fallback) const { return null() ? fallback : Positive(); }

  /// Throws unless the value is null or equals `supported`.
  void RefuseUnless(bool supported) const;
  /// Throws "FILE: expected <the value's name> to be <expected>, found <the value>".
  [[noreturn]] void Fail(const std::string& expected) const;
  /// Throws "FILE: expected <what>, found <found>", for an error that concerns more than one value.
  [[noreturn]] void Fail(const std::string& what, const std::string& found) const;
  /// A value as messages show it: printable ASCII, cut when it is long; "nothing" for null.
  static std::string Shown(const nlohmann::json& json);

 private:
  JsonValue(const nlohmann::json& json, std::string file, std::string name)
      : json_(&json), file_(std::move(file)), name_(std::move(name)) {}
  std::string ShownName() const;

  const nlohmann::json* json_;
  std::string file_, name_;
};

/// The elements of an array, each created when it is reached: a file may hold millions.
class JsonItems {
 public:
  JsonItems(JsonValue array, size_t size) : array_(std::move(array)), size_(size) {}

  struct Iterator {
    const JsonValue& array;
    size_t index;

    JsonValue operator*() const { return array.Item(index); }
    Iterator& operator++() { return ++index, *this; }
    bool operator!=(const Iterator& other) const { return index != other.index; }
  };
  Iterator begin() const { return {array_, 0}; }
  Iterator end() const { return {array_, size_}; }

 private:
  JsonValue array_;
  size_t size_;
};

}  // namespace ampgrad::io
