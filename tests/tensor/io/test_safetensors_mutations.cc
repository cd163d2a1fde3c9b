#include <gtest/gtest.h>

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/reference/safetensors_checker.h"
#include "tests/support/safetensors_files.h"

/// The reader against an independent checker, on files that are almost valid.
namespace ampgrad::io {
namespace {

// Changes the structure of a file: tokens of the header, its length, the length of the data.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  std::string Mutate(const std::string& header, std::string data) {
    std::vector<std::string> tokens = Tokens(header);
    int64_t length_error = 0;
    for (uint64_t i = 0, changes = 1 + Below(3); i < changes; ++i) {
      const uint64_t kind = Below(40);
      if (kind == 0) data.resize(Below(data.size() + 9));
      if (kind == 1) length_error = static_cast<int64_t>(Below(5)) - 2;
      if (kind >= 2) ChangeTokens(kind, tokens);
    }
    std::string text;
    for (const std::string& token : tokens) text += token;
    if (Below(40) == 0) text[Below(text.size())] = static_cast<char>(Below(256));
    return Length(text.size() + static_cast<uint64_t>(length_error)) + text + data;
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  static std::vector<std::string> Tokens(const std::string& text) {
    std::vector<std::string> tokens;
    for (size_t start = 0, end; start < text.size(); start = end) {
      end = text[start] == '"' ? text.find('"', start + 1) + 1 : start + 1;
      while (std::isalnum(text[start]) && std::isalnum(text[end])) ++end;
      tokens.push_back(text.substr(start, end - start));
    }
    return tokens;
  }

  void ChangeTokens(uint64_t kind, std::vector<std::string>& tokens) {
    static const std::vector<std::string> kTokens = {"0",
                                                     "1",
                                                     "2",
                                                     "3",
                                                     "4",
                                                     "8",
                                                     "-1",
                                                     "-0",
                                                     "01",
                                                     "1.5",
                                                     "4e0",
                                                     "1e999",
                                                     "4294967296",
                                                     "9223372036854775808",
                                                     "18446744073709551608",
                                                     "18446744073709551615",
                                                     "18446744073709551616",
                                                     "null",
                                                     "true",
                                                     "\"F32\"",
                                                     "\"I32\"",
                                                     "\"F64\"",
                                                     "\"C64\"",
                                                     "\"BF16\"",
                                                     "\"F16\"",
                                                     "\"F4\"",
                                                     "\"F31\"",
                                                     "\"dtype\"",
                                                     "\"shape\"",
                                                     "\"data_offsets\"",
                                                     "\"__metadata__\"",
                                                     "\"\\u0061\"",
                                                     "\"\\ud800\"",
                                                     "\"\\ud83d\\ude00\"",
                                                     "\"\xC3\xA9\"",
                                                     "\"\xC0\x80\"",
                                                     "\"\"",
                                                     "[",
                                                     "]",
                                                     "{",
                                                     "}",
                                                     "[]",
                                                     "{}",
                                                     "[[]]",
                                                     ",",
                                                     ":",
                                                     ",1",
                                                     "\"x\":[{\"y\":1}],",
                                                     std::string(1, '\0'),
                                                     "\v",
                                                     "\xEF\xBB\xBF",
                                                     "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,8]},"};
    static const std::vector<std::string> kSpace = {" ", "\t", "\n", "\r\n"};
    const uint64_t at = Below(tokens.size());
    const auto position = tokens.begin() + static_cast<int64_t>(at);
    std::string& token = tokens[at];
    if (kind < 8) {
      token = kTokens[Below(kTokens.size())];
    } else if (kind < 12) {
      token = tokens[Below(tokens.size())];
    } else if (kind < 16) {
      std::swap(token, tokens[Below(tokens.size())]);
    } else if (kind < 18) {
      tokens.erase(position);
    } else if (kind < 22) {
      tokens.insert(position, kTokens[Below(kTokens.size())]);
    } else if (kind < 28) {
      tokens.insert(position, kSpace[Below(kSpace.size())]);
    } else {
      ReplaceSameKind(tokens, token);
    }
  }

  // Replaces a number by a number or a dtype by a dtype. The header stays well-formed and may stay valid.
  void ReplaceSameKind(const std::vector<std::string>& tokens, std::string& token) {
    const std::string other = tokens[Below(tokens.size())];
    static const std::vector<std::string> kDtypes = {"\"F32\"", "\"I32\"", "\"U32\"", "\"F64\"",
                                                     "\"I64\"", "\"U64\"", "\"F16\"", "\"I16\""};
    if (std::isdigit(token[0])) token = std::isdigit(other[0]) ? other : std::to_string(Below(40));
    if (token.size() == 5 && token.back() == '"') token = kDtypes[Below(kDtypes.size())];
  }

  std::mt19937_64 random_;
};

// Reads every tensor of a valid file. A tensor that cannot be read is refused with a reason, and nothing else happens.
void ReadAll(const File& file) {
  const SafetensorsReader reader = file.Open();
  for (const TensorEntry& entry : reader.header().entries) {
    if (entry.dtype == "I64") reader.ReadInts(entry.name);
    const std::string error = MessageOf(file.directory(), [&] { reader.ReadReal(entry.name); });
    if (error.empty()) reader.ReadStored(entry.name);
    EXPECT_TRUE(error.empty() || error.find("not supported here") != error.npos) << error;
  }
}

// How many files to try: a second's work, unless the environment asks for another number.
int CountFiles() {
  const char* const asked = std::getenv("AMPGRAD_MUTATIONS");
  return asked == nullptr ? 20'000 : std::atoi(asked);
}

TEST(Safetensors, AgreesWithAnIndependentChecker) {
  const std::string header = R"({"__metadata__":{"format":"pt"},)" + Entry("b", "I64", "2", "8,24") + "," +
                             Entry("a", "F32", "1,2", "0,8") + "," + Entry("e", "F32", "2,0", "8,8") + "," +
                             Entry("s", "F64", "", "24,32") + "," + Entry("h", "BF16", "2", "32,36") + "} ";
  Mutator mutator(1);
  const File file(FileBytes(header, std::string(36, '\0')));
  ASSERT_TRUE(reference::SafetensorsChecker::Accepts(Get(file.path())));
  ASSERT_EQ(file.OpenError(), "");
  int accepted = 0;
  const int files = CountFiles();
  for (int i = 0; i < files; ++i) {
    const std::string bytes = mutator.Mutate(header, std::string(36, '\0'));
    uint64_t length;
    std::memcpy(&length, bytes.data(), sizeof(length));
    // For speed, most do not go through the file system.
    const bool in_memory = i % 64 != 0 && length <= bytes.size() - 8;
    if (!in_memory) Put(file.path(), bytes);
    const std::string error =
        in_memory ? HeaderError(bytes.substr(8, length), bytes.size() - 8 - length) : file.OpenError();
    ASSERT_EQ(error.empty(), reference::SafetensorsChecker::Accepts(bytes))
        << "file " << i << ": " << bytes.substr(8) << "\n"
        << error;
    if (!error.empty()) continue;
    ++accepted;
    if (!in_memory) ReadAll(file);
  }
  EXPECT_GT(accepted, files / 20);
  EXPECT_LT(accepted, files / 2);
}

}  // namespace
}  // namespace ampgrad::io
