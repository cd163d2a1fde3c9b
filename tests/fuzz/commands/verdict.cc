#include "tests/fuzz/commands/verdict.h"

#include <algorithm>
#include <sstream>

namespace ampgrad::fuzz {
namespace {

constexpr size_t kLongestLine = 2000;

// Texts that come from a library or a sanitizer, never from a sentence of the program.
const char* const kRawTexts[] = {"AddressSanitizer", "LeakSanitizer",    "runtime error:", "terminate called",
                                 "json.exception",   "basic_string",     "std::",          "bad_alloc",
                                 "vector::",         "filesystem error", "stoi",           "what():"};

// Whether a terminal would obey a character of `text`: C0 but for line ends and tabs, DEL, C1.
bool HasControl(const std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) return true;
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) return true;
  }
  return false;
}

bool HasSentence(const std::string& err) {
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("ampgrad ") && !line.starts_with("ampgrad: note: ")) return true;
  }
  return false;
}

size_t LongestLine(const std::string& text) {
  size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

}  // namespace

std::string FaultOf(const LimitedRun& run, double most_mb) {
  if (run.hung) return "hang";
  for (const char* raw : kRawTexts) {
    if (run.err.find(raw) != run.err.npos) return std::string("raw text: ") + raw;
  }
  if (run.signal != 0) return "ended by signal " + std::to_string(run.signal);
  if (run.code < 0 || run.code > 2) return "exit code " + std::to_string(run.code);
  if (HasControl(run.out) || HasControl(run.err)) return "control character";
  if (LongestLine(run.err) > kLongestLine) return "message of " + std::to_string(LongestLine(run.err)) + " bytes";
  // `check` ends with 1 after a table in which a bound is exceeded.
  if (run.code != 0 && run.out.empty() && !HasSentence(run.err)) return "failure without a sentence";
  if (!(run.peak_mb <= most_mb)) return "memory of " + std::to_string(static_cast<int>(run.peak_mb)) + " MB";
  return "";
}

}  // namespace ampgrad::fuzz
