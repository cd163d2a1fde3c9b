#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ampgrad::reference {

/// The rules of the format, written as plainly as possible: the header is read into a tree by recursion, and sums have
/// 128 bits. Shares no code with the reader, which it is compared to.
class SafetensorsChecker {
 public:
  static bool Accepts(const std::string& bytes) {
    try {
      SafetensorsChecker(bytes).CheckFile();
      return true;
    } catch (const Invalid&) {
      return false;
    }
  }

 private:
  using Wide = unsigned __int128;
  struct Invalid {};
  struct Value {
    char kind = 'x';   // { [ " 0 (unsigned integer) x (anything else)
    std::string text;  // of a string
    Wide number = 0;
    std::vector<std::string> keys;  // of an object
    std::vector<Value> items;       // of an object or array
  };

  explicit SafetensorsChecker(const std::string& bytes) : bytes_(bytes) {}

  static void Require(bool condition) {
    if (!condition) throw Invalid();
  }
  int Peek() const { return at_ < end_ ? static_cast<unsigned char>(bytes_[at_]) : -1; }
  int Next() {
    Require(at_ < end_);
    return static_cast<unsigned char>(bytes_[at_++]);
  }
  bool Eat(char c) {
    if (Peek() != static_cast<unsigned char>(c)) return false;
    ++at_;
    return true;
  }
  void Space() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == '\r' || Peek() == '\n') ++at_;
  }

  unsigned Hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const int c = Next();
      Require(std::isxdigit(c));
      code = code * 16 + static_cast<unsigned>(std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10);
    }
    return code;
  }

  static void AppendUtf8(unsigned code, std::string& text) {
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else if (code < 0x800) {
      text += static_cast<char>(0xC0 | code >> 6), tail(0);
    } else if (code < 0x10000) {
      text += static_cast<char>(0xE0 | code >> 12), tail(6), tail(0);
    } else {
      text += static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0);
    }
  }

  // A character of more than one byte: it must equal the encoding of its own code point.
  void MultiByte(int lead, std::string& text) {
    const int tail = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    const size_t start = at_ - 1;
    unsigned code = static_cast<unsigned>(lead) & (0x3Fu >> tail);
    for (int i = 0; i < tail; ++i) code = code << 6 | (static_cast<unsigned>(Next()) & 0x3F);
    std::string encoded;
    AppendUtf8(code, encoded);
    Require(code <= 0x10FFFF && code >> 11 != 0x1B && encoded == bytes_.substr(start, at_ - start));
    text += encoded;
  }

  void Escape(std::string& text) {
    static const std::string kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    const int c = Next();
    if (const size_t i = kFrom.find(static_cast<char>(c)); i != kFrom.npos) {
      text += kTo[i];
      return;
    }
    Require(c == 'u');
    unsigned code = Hex4();
    Require(code >> 10 != 0x37);
    if (code >> 10 == 0x36) {
      Require(Eat('\\') && Eat('u'));
      const unsigned low = Hex4();
      Require(low >> 10 == 0x37);
      code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
    }
    AppendUtf8(code, text);
  }

  std::string String() {
    std::string text;
    for (Require(Eat('"')); !Eat('"');) {
      const int c = Next();
      Require(c >= 0x20);
      if (c == '\\') {
        Escape(text);
      } else if (c < 0x80) {
        text += static_cast<char>(c);
      } else {
        MultiByte(c, text);
      }
    }
    return text;
  }

  void Digits() {
    Require(std::isdigit(Peek()));
    while (std::isdigit(Peek())) ++at_;
  }

  Value Number() {
    const size_t start = at_;
    const bool negative = Eat('-');
    if (!Eat('0')) Digits();
    const size_t integer_end = at_;
    if (Eat('.')) Digits();
    if (Eat('e') || Eat('E')) {
      if (!Eat('+')) Eat('-');
      Digits();
    }
    const std::string text = bytes_.substr(start, at_ - start);
    Require(std::isfinite(std::strtod(text.c_str(), nullptr)));
    Value value;
    if (negative || at_ != integer_end || text.size() > 20) return value;
    for (const char c : text) value.number = value.number * 10 + static_cast<unsigned>(c - '0');
    if (value.number <= UINT64_MAX) value.kind = '0';
    return value;
  }

  Value Any(int depth) {
    Space();
    Value value;
    const int c = Peek();
    if (c == '"') return value.kind = '"', value.text = String(), value;
    if (c == '-' || std::isdigit(c)) return Number();
    if (c != '{' && c != '[') {
      for (const std::string literal : {"null", "true", "false"}) {
        if (bytes_.compare(at_, literal.size(), literal) == 0)
          return at_ += literal.size(), value.text = literal, value;
      }
      throw Invalid();
    }
    Require(depth < 128);
    value.kind = static_cast<char>(Next());
    const char close = c == '{' ? '}' : ']';
    for (Space(); !Eat(close); Space()) {
      if (!value.items.empty()) Require(Eat(','));
      if (c == '{') Space(), value.keys.push_back(String()), Space(), Require(Eat(':'));
      value.items.push_back(Any(depth + 1));
    }
    return value;
  }

  // The value of the only field of that name.
  static const Value& Field(const Value& object, const std::string& name, char kind) {
    Require(std::count(object.keys.begin(), object.keys.end(), name) == 1);
    const size_t i = static_cast<size_t>(std::find(object.keys.begin(), object.keys.end(), name) - object.keys.begin());
    Require(object.items[i].kind == kind);
    return object.items[i];
  }

  static Wide BytesOf(const std::string& dtype, const std::vector<Value>& shape) {
    static const std::map<std::string, unsigned> kBits = {
        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"BOOL", 8},        {"U8", 8},   {"I8", 8},
        {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16},
        {"F16", 16},    {"F8_E8M0", 8}, {"BF16", 16},       {"I32", 32},        {"U32", 32}, {"F32", 32},
        {"C64", 64},    {"F64", 64},    {"I64", 64},        {"U64", 64}};
    Require(kBits.contains(dtype));
    Wide product = 1;
    for (const Value& dim : shape) Require(dim.kind == '0'), product *= dim.number, Require(product <= UINT64_MAX);
    product *= kBits.at(dtype);
    Require(product <= UINT64_MAX && product % 8 == 0);
    return product / 8;
  }

  void CheckFile() {
    Require(bytes_.size() >= 8);
    uint64_t length;
    std::memcpy(&length, bytes_.data(), 8);
    Require(length <= 100'000'000 && length <= bytes_.size() - 8);
    at_ = 8;
    end_ = 8 + length;
    const Value header = Any(0);
    Space();
    Require(at_ == end_ && header.kind == '{');
    Require(std::set<std::string>(header.keys.begin(), header.keys.end()).size() == header.keys.size());
    std::map<Wide, Wide> spans;  // begin -> end
    std::vector<Wide> empty;     // begins
    for (size_t i = 0; i < header.keys.size(); ++i) {
      if (header.keys[i] == "__metadata__") {
        CheckMetadata(header.items[i]);
      } else {
        CheckEntry(header.items[i], spans, empty);
      }
    }
    // Following the spans from 0 must use each of them and arrive at the end. An empty span must lie where a span
    // begins or ends.
    std::set<Wide> borders = {0};
    Wide at = 0;
    for (auto span = spans.find(0); span != spans.end(); span = spans.find(at)) borders.insert(at = span->second);
    Require(borders.size() == spans.size() + 1 && at == bytes_.size() - end_);
    for (const Wide begin : empty) Require(borders.contains(begin));
  }

  static void CheckMetadata(const Value& metadata) {
    if (metadata.text == "null" && metadata.kind == 'x') return;
    Require(metadata.kind == '{');
    Require(std::set<std::string>(metadata.keys.begin(), metadata.keys.end()).size() == metadata.keys.size());
    for (const Value& value : metadata.items) Require(value.kind == '"');
  }

  static void CheckEntry(const Value& entry, std::map<Wide, Wide>& spans, std::vector<Wide>& empty) {
    Require(entry.kind == '{');
    const Wide size = BytesOf(Field(entry, "dtype", '"').text, Field(entry, "shape", '[').items);
    const Value& offsets = Field(entry, "data_offsets", '[');
    Require(offsets.items.size() == 2 && offsets.items[0].kind == '0' && offsets.items[1].kind == '0');
    const Wide begin = offsets.items[0].number, end = offsets.items[1].number;
    Require(end >= begin && end - begin == size);
    if (size == 0) {
      empty.push_back(begin);
    } else {
      Require(spans.emplace(begin, end).second);
    }
  }

  const std::string& bytes_;
  size_t at_ = 0, end_ = 0;
};

}  // namespace ampgrad::reference
