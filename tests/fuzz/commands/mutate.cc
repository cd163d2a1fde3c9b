#include "tests/fuzz/commands/mutate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace ampgrad::fuzz {
namespace {

using Json = nlohmann::ordered_json;

// What readers of text trip over: control characters, broken UTF-8, numbers at the ends of their types, brackets.
const std::vector<std::string>& Snippets() {
  static const std::vector<std::string> snippets = {std::string(1, '\0'),
                                                    "\x1b[31m",
                                                    "\x7f",
                                                    "\xc2\x9b",
                                                    "\xff\xfe",
                                                    "\xed\xa0\x80",
                                                    "\xf4\x90\x80\x80",
                                                    "\xef\xbb\xbf",
                                                    "\r",
                                                    "\u202e",
                                                    "-1",
                                                    "1e999",
                                                    "99999999999999999999",
                                                    "-9223372036854775808",
                                                    "NaN",
                                                    "Infinity",
                                                    "null",
                                                    "\"",
                                                    "\\",
                                                    "\\u0000",
                                                    "\\ud800",
                                                    "{",
                                                    "}",
                                                    "[",
                                                    "]",
                                                    ",",
                                                    ":",
                                                    "{% for m in messages %}",
                                                    "{{ messages }}",
                                                    "../../../etc/passwd",
                                                    "%s%n"};
  return snippets;
}

std::string Nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

// A value that a reader of JSON should expect and seldom does.
Json OddValue(Draw& draw) {
  const std::vector<Json> values = {nullptr,
                                    true,
                                    -1,
                                    0,
                                    1,
                                    2,
                                    3,
                                    7,
                                    100000,
                                    2147483647,
                                    4294967296,
                                    INT64_MIN,
                                    UINT64_MAX,
                                    0.5,
                                    1e308,
                                    1e-310,
                                    -0.0,
                                    "",
                                    "0",
                                    "\x1b]0;title\x07",
                                    std::string("a\0b", 3),
                                    "\u202e\u2066",
                                    std::string(5000, 'x'),
                                    "../model.safetensors",
                                    "/etc/passwd",
                                    Json::array(),
                                    Json::object(),
                                    Json::array({Json::array()}),
                                    Json::parse(Nested(300)),
                                    Json::array({1, "a", nullptr}),
                                    {{"type", "Sequence"}},
                                    {{"\x1b[1m", "\x9b"}}};
  return values[draw.Below(values.size())];
}

// Every value inside `json`, itself included.
void Collect(Json& json, std::vector<Json*>& all) {
  all.push_back(&json);
  if (json.is_structured()) {
    for (Json& value : json) Collect(value, all);
  }
}

// Numbers near the one that stands there break sums that just about held.
void Disturb(Json& value, Draw& draw) {
  if (value.is_number() && draw.Below(2) == 0) {
    const double factors[] = {2, 3, 0.5, 10, 1000, -1, 65536};
    const double changed = value.get<double>() * factors[draw.Below(std::size(factors))];
    if (value.is_number_integer()) {
      value = static_cast<int64_t>(std::clamp(changed, -9e18, 9e18)) + static_cast<int64_t>(draw.Below(3)) - 1;
    } else {
      value = changed;
    }
  } else if (value.is_string() && draw.Below(2) == 0) {
    value = MutateBytes(value.get<std::string>(), draw);
  } else {
    value = OddValue(draw);
  }
}

void ChangeMember(Json& parent, std::vector<Json*>& all, Draw& draw) {
  const size_t at = draw.Below(parent.size());
  if (parent.is_array()) {
    switch (draw.Below(4)) {
      case 0:
        parent.erase(at);
        break;
      case 1:
        parent.push_back(parent[at]);
        break;
      case 2:
        std::swap(parent[at], parent[draw.Below(parent.size())]);
        break;
      default:
        Disturb(parent[at], draw);
    }
    return;
  }
  const auto member = std::next(parent.begin(), static_cast<std::ptrdiff_t>(at));
  const Json value = member.value();
  switch (draw.Below(5)) {
    case 0:
      parent.erase(member.key());
      break;
    case 1: {
      const std::string renamed = MutateBytes(member.key(), draw);
      parent.erase(member.key());
      parent[renamed] = value;
      break;
    }
    case 2:
      parent[member.key()] = Json(*all[draw.Below(all.size())]);
      break;
    default:
      Disturb(member.value(), draw);
  }
}

// The same with bytes that JSON would refuse in a string: a dump must not fail where a reader should.
std::string Dump(const Json& json) { return json.dump(1, ' ', false, Json::error_handler_t::ignore); }

}  // namespace

std::string MutateBytes(std::string text, Draw& draw) {
  const size_t at = draw.Below(text.size() + 1);
  const size_t length = std::min(text.size() - at, size_t{1} << draw.Below(10));
  switch (draw.Below(7)) {
    case 0:
      return text.substr(0, at);
    case 1:
      return text.erase(at, length);
    case 2:
      return text.insert(at, text.substr(at, length));
    case 3:
      return text.insert(draw.Below(text.size() + 1), text.substr(at, length));
    case 4:
      if (at < text.size()) text[at] = static_cast<char>(draw.Below(256));
      return text;
    case 5:
      if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << draw.Below(8)));
      return text;
    default:
      return text.insert(at, Snippets()[draw.Below(Snippets().size())]);
  }
}

std::string MutateJson(const std::string& text, Draw& draw) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || draw.Below(4) == 0) return MutateBytes(text, draw);
  std::vector<Json*> all, parents;
  Collect(json, all);
  for (Json* value : all) {
    if (value->is_structured() && !value->empty()) parents.push_back(value);
  }
  if (parents.empty()) return Dump(OddValue(draw));
  // The outermost values are few and matter most: half of the changes are theirs.
  Json& parent = draw.Below(2) == 0 ? json : *parents[draw.Below(parents.size())];
  if (parent.is_structured() && !parent.empty()) ChangeMember(parent, all, draw);
  return Dump(json);
}

std::string MutateJsonLine(const std::string& text, Draw& draw) {
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  if (lines == 0 || draw.Below(8) == 0) return MutateBytes(text, draw);
  size_t begin = 0;
  for (size_t line = draw.Below(lines); line > 0; --line) begin = text.find('\n', begin) + 1;
  const size_t end = text.find('\n', begin);
  std::string changed = MutateJson(text.substr(begin, end - begin), draw);
  std::replace(changed.begin(), changed.end(), '\n', ' ');
  return text.substr(0, begin) + changed + text.substr(end);
}

}  // namespace ampgrad::fuzz
