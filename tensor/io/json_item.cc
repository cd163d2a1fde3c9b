#include "tensor/io/json_item.h"

#include <stdexcept>

namespace ampgrad::io {

JsonItem JsonItem::Field(const std::string& key) const {
  static const nlohmann::json kNull;
  if (!json_->is_object()) Fail("an object");
  const auto it = json_->find(key);
  return {it == json_->end() ? kNull : *it, file_, name_.empty() ? key : name_ + "." + key};
}

std::vector<JsonItem> JsonItem::Items() const {
  if (!json_->is_array()) Fail("an array");
  std::vector<JsonItem> items;
  for (size_t i = 0; i < json_->size(); ++i) {
    items.push_back({(*json_)[i], file_, name_ + "[" + std::to_string(i) + "]"});
  }
  return items;
}

const std::string& JsonItem::String() const {
  if (!json_->is_string()) Fail("a string");
  return json_->get_ref<const std::string&>();
}

bool JsonItem::Boolean() const {
  if (!json_->is_boolean()) Fail("true or false");
  return json_->get<bool>();
}

Index JsonItem::Integer(Index min, Index max) const {
  const bool fits = json_->is_number_integer() &&
                    (!json_->is_number_unsigned() || json_->get<uint64_t>() <= INT64_MAX) &&
                    json_->get<Index>() >= min && json_->get<Index>() <= max;
  if (!fits) Fail("an integer in " + std::to_string(min) + ".." + std::to_string(max));
  return json_->get<Index>();
}

void JsonItem::Fail(const std::string& expected) const {
  Refuse((name_.empty() ? "the file" : name_) + " to be " + expected, Shown(*json_));
}

void JsonItem::Refuse(const std::string& what, const std::string& found) const {
  throw std::runtime_error(file_ + ": expected " + what + ", found " + found);
}

std::string JsonItem::Shown(const nlohmann::json& json) {
  constexpr size_t kLongest = 200;
  if (json.is_null()) return "nothing";
  if (json.is_structured() && json.size() > 20) {
    return std::string("an ") + json.type_name() + " of " + std::to_string(json.size());
  }
  // Written through the handler that replaces bad bytes: a message must not fail itself.
  const std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= kLongest) return text;
  size_t end = kLongest;
  while ((text[end] & 0xC0) == 0x80) --end;  // not in the middle of a character
  return text.substr(0, end) + "…";
}

}  // namespace ampgrad::io
