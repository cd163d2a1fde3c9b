#include "tensor/io/json.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

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

// Builds a value from what the parser finds. The parser's own builder would silently keep the last of two equal keys,
// and its memory has no bound: a value takes up to thirty times the two bytes of its text.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonBuilder(const std::string& where) : where_(where) {}
  nlohmann::json Take() { return std::move(root_); }

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t&) override { return Put(value); }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in JSON text
  bool start_array(size_t) override { return Open(nlohmann::json::array()); }
  bool start_object(size_t) override { return Open(nlohmann::json::object()); }
  bool end_array() override { return Close(); }
  bool end_object() override { return Close(); }

  bool key(string_t& name) override {
    const auto [member, added] = open_.back()->get_ref<nlohmann::json::object_t&>().emplace(std::move(name), nullptr);
    if (!added) {
      throw std::runtime_error(where_ + ": the key " + JsonValue::Shown(member->first) + " stands twice");
    }
    member_ = &member->second;
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at …": the bracketed part means nothing to a user.
    const std::string message = error.what();
    throw std::runtime_error(where_ + ": not valid JSON: " + Plain(message.substr(message.find("] ") + 2)));
  }

 private:
  // Where the next value belongs: behind the last one of the open array, or to the last key of the open object.
  nlohmann::json& Next() {
    constexpr size_t kMaxValues = 4'000'000;  // the largest tokenizers have half as many
    if (++values_ > kMaxValues) {
      throw std::runtime_error(where_ + ": expected at most " + std::to_string(kMaxValues) +
                               " values in JSON, found more");
    }
    if (open_.empty()) return root_;
    return open_.back()->is_array() ? open_.back()->emplace_back(nullptr) : *member_;
  }
  bool Put(nlohmann::json value) {
    Next() = std::move(value);
    return true;
  }
  bool Open(nlohmann::json container) {
    constexpr size_t kMaxDepth = 64;
    if (open_.size() == kMaxDepth) {
      throw std::runtime_error(where_ + ": JSON nested deeper than " + std::to_string(kMaxDepth));
    }
    nlohmann::json& place = Next();
    place = std::move(container);
    open_.push_back(&place);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const std::string& where_;
  nlohmann::json root_;
  std::vector<nlohmann::json*> open_;  // the arrays and objects around the next value, the innermost last
  nlohmann::json* member_ = nullptr;   // the value of the last key
  size_t values_ = 0;
};

}  // namespace

std::string JsonText(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string JsonText(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

nlohmann::json ParseJson(std::string_view text, const std::string& where) {
  if (text.starts_with("\xEF\xBB\xBF"))
    throw std::runtime_error(where + ": not valid JSON: it starts with a byte-order mark");
  // The parser takes a NUL for the end of the text and would not read what stands behind it.
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    throw std::runtime_error(where + ": not valid JSON: byte " + std::to_string(nul) + " is a NUL");
  }
  JsonBuilder builder(where);
  nlohmann::json::sax_parse(text, &builder);
  return builder.Take();
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
