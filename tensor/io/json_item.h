#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::io {

/// A value inside a JSON file together with where it stands, so that whoever reads it can refuse it in a sentence: "FILE:
/// expected model.merges[3] to be …, found …". What is missing and what is null look alike.
class JsonItem {
 public:
  /// The file's outermost value. `json` must outlive the item.
  JsonItem(const nlohmann::json& json, std::string file) : JsonItem(json, std::move(file), "") {}

  /// A member of an object; null when it is not there. Throws std::runtime_error when this is no object.
  JsonItem Field(const std::string& key) const;
  /// The elements of an array; throws when it is none.
  std::vector<JsonItem> Items() const;

  bool null() const { return json_->is_null(); }
  const nlohmann::json& json() const { return *json_; }

  // The value, when it has the type (and range); these throw std::runtime_error otherwise.
  const std::string& String() const;
  bool Boolean() const;
  Index Integer(Index min, Index max) const;
  /// The value, or `fallback` for null.
  bool BooleanOr(bool fallback) const { return null() ? fallback : Boolean(); }

  [[noreturn]] void Fail(const std::string& expected) const;
  /// "FILE: expected <what>, found <found>".
  [[noreturn]] void Refuse(const std::string& what, const std::string& found) const;
  /// A value as messages show it: cut when it is long; "nothing" for null.
  static std::string Shown(const nlohmann::json& json);

 private:
  JsonItem(const nlohmann::json& json, std::string file, std::string name)
      : json_(&json), file_(std::move(file)), name_(std::move(name)) {}

  const nlohmann::json* json_;
  std::string file_, name_;
};

}  // namespace ampgrad::io
