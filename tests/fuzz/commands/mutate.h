#pragma once

#include <cstdint>
#include <random>
#include <string>

/// Small changes to the text of a file, of the kinds that break readers. Each is a pure function of text and seed.
namespace ampgrad::fuzz {

/// Draws that are the same with every standard library.
class Draw {
 public:
  explicit Draw(uint64_t seed) : engine_(seed) {}
  /// 0 ≤ value < count; `count` at least 1.
  size_t Below(size_t count) { return static_cast<size_t>(engine_() % count); }

 private:
  std::mt19937_64 engine_;
};

/// Changes, removes, repeats or inserts bytes, or cuts the text.
std::string MutateBytes(std::string text, Draw& draw);

/// Replaces, removes, renames, moves or repeats one value of a JSON text. Text that is no JSON has its bytes changed.
std::string MutateJson(const std::string& text, Draw& draw);

/// MutateJson or MutateBytes on one line of a JSONL text.
std::string MutateJsonLine(const std::string& text, Draw& draw);

}  // namespace ampgrad::fuzz
