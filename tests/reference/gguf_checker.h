#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ampgrad::reference {

/// The rules of GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) with the limits of the reader, written
/// as plainly as possible, with sums of 128 bits. Shares no code with the reader, which it is compared to.
class GgufChecker {
 public:
  static bool Accepts(const std::string& bytes) {
    try {
      GgufChecker(bytes).CheckFile();
      return true;
    } catch (const Invalid&) {
      return false;
    }
  }

 private:
  using Wide = unsigned __int128;
  struct Invalid {};
  struct Span {
    Wide begin, end;
  };

  explicit GgufChecker(const std::string& bytes) : bytes_(bytes) {}

  static void Require(bool condition) {
    if (!condition) throw Invalid();
  }

  uint64_t Number(int size) {
    Require(bytes_.size() - at_ >= static_cast<size_t>(size));
    uint64_t number = 0;
    for (int i = 0; i < size; ++i) {
      number |= static_cast<uint64_t>(static_cast<unsigned char>(bytes_[at_++])) << (8 * i);
    }
    return number;
  }

  // UTF-8 by the table of the standard (RFC 3629, section 4).
  static bool IsUtf8(const std::string& text) {
    const auto tail = [&](size_t at, unsigned low = 0x80, unsigned high = 0xBF) {
      if (at >= text.size()) return false;
      const unsigned byte = static_cast<unsigned char>(text[at]);
      return low <= byte && byte <= high;
    };
    for (size_t at = 0; at < text.size();) {
      const unsigned lead = static_cast<unsigned char>(text[at]);
      size_t size = 0;
      if (lead < 0x80) size = 1;
      if (lead >= 0xC2 && lead <= 0xDF && tail(at + 1)) size = 2;
      if (lead >= 0xE0 && lead <= 0xEF && tail(at + 2) &&
          tail(at + 1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF)) {
        size = 3;
      }
      if (lead >= 0xF0 && lead <= 0xF4 && tail(at + 2) && tail(at + 3) &&
          tail(at + 1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF)) {
        size = 4;
      }
      if (size == 0) return false;
      at += size;
    }
    return true;
  }

  std::string Text() {
    const uint64_t size = Number(8);
    Require(size <= bytes_.size() - at_);
    std::string text = bytes_.substr(at_, size);
    at_ += size;
    Require(IsUtf8(text));
    return text;
  }

  uint64_t Value(uint64_t type, int depth) {
    static const std::map<uint64_t, int> kSizes = {{0, 1}, {1, 1}, {2, 2},  {3, 2},  {4, 4}, {5, 4},
                                                   {6, 4}, {7, 1}, {10, 8}, {11, 8}, {12, 8}};
    if (type == 8) return Text().size();
    if (type == 9) {
      Require(depth < 8);
      const uint64_t of = Number(4), count = Number(8);
      Require(of <= 12);
      for (uint64_t i = 0; i < count; ++i) Value(of, depth + 1);
      return 0;
    }
    Require(kSizes.count(type) > 0);
    const uint64_t value = Number(kSizes.at(type));
    Require(type != 7 || value <= 1);
    return value;
  }

  void CheckTensor(uint64_t alignment, std::set<std::string>& names, std::vector<Span>& spans) {
    static const std::map<uint64_t, std::pair<uint64_t, uint64_t>> kBlocks = {
        {0, {1, 4}},   {1, {1, 2}},  {2, {32, 18}},    {3, {32, 20}},    {6, {32, 22}},   {7, {32, 24}},
        {8, {32, 34}}, {30, {1, 2}}, {12, {256, 144}}, {13, {256, 176}}, {14, {256, 210}}};
    const std::string name = Text();
    Require(!name.empty() && name.size() <= 64 && names.insert(name).second);
    const uint64_t rank = Number(4);
    Require(rank >= 1 && rank <= 4);
    Wide count = 1;
    uint64_t row = 0;
    for (uint64_t i = 0; i < rank; ++i) {
      const uint64_t extent = Number(8);
      Require(extent > 0);
      if (i == 0) row = extent;
      count *= extent;
      Require(count >> 63 == 0);
    }
    const uint64_t type = Number(4);
    Require(kBlocks.count(type) > 0);
    const auto [numbers, size] = kBlocks.at(type);
    Require(row % numbers == 0);
    const uint64_t offset = Number(8);
    Require(offset % alignment == 0);
    spans.push_back({offset, offset + count / numbers * size});
  }

  void CheckFile() {
    Require(bytes_.size() >= 4 && bytes_.compare(0, 4, "GGUF") == 0);
    at_ = 4;
    const uint64_t version = Number(4), tensors = Number(8), values = Number(8);
    Require(version == 2 || version == 3);
    std::set<std::string> keys, names;
    uint64_t alignment = 32;
    for (uint64_t i = 0; i < values; ++i) {
      const std::string key = Text();
      Require(!key.empty() && key.size() <= 65535 && keys.insert(key).second);
      const uint64_t type = Number(4), value = Value(type, 0);
      if (key != "general.alignment") continue;
      Require(type == 0 || type == 2 || type == 4 || type == 10);  // unsigned integers
      Require(value > 0 && value % 8 == 0 && value <= 1 << 20);
      alignment = value;
    }
    std::vector<Span> spans;
    for (uint64_t i = 0; i < tensors; ++i) CheckTensor(alignment, names, spans);
    const Wide data = (at_ + alignment - 1) / alignment * alignment;
    for (const Span& span : spans) {
      Require(data + span.end <= bytes_.size());
      for (const Span& other : spans) {
        Require(&span == &other || span.end <= other.begin || other.end <= span.begin);
      }
    }
  }

  const std::string& bytes_;
  size_t at_ = 0;
};

}  // namespace ampgrad::reference
