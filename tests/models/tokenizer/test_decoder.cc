#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "models/tokenizer/decoder.h"
#include "tests/support/small_tokenizers.h"

namespace ampgrad::models {
namespace {

using Tokens = std::vector<std::string>;

// The text that a decoder returns for tokens, which it receives in parts of `part` bytes.
std::string Decoded(const std::string& json, const Tokens& tokens, size_t part = 100) {
  const Json file = Json::parse(json);
  std::string text;
  const auto decoder = Decoder(io::JsonValue(file, "F")).Start(text);
  for (const std::string& token : tokens) {
    for (size_t at = 0; at < token.size(); at += part) decoder->Text(std::string_view(token).substr(at, part));
    decoder->EndToken();
  }
  decoder->Finish();
  return text;
}

std::string Sequence(const std::string& steps) { return R"({"type": "Sequence", "decoders": [)" + steps + "]}"; }

const std::string kFallback = R"({"type": "ByteFallback"})", kFuse = R"({"type": "Fuse"})";
const std::string kStrip = R"({"type": "Strip", "content": " ", "start": 1, "stop": 0})";

TEST(Decoder, ByteLevel) {
  const std::string json = R"({"type": "ByteLevel"})";
  EXPECT_EQ(Decoded(json, {"a", "Ġb", "Ċ"}), "a b\n");
  EXPECT_EQ(Decoded(json, {"Ã", "©"}), "\u00E9");  // a character in two tokens
  EXPECT_EQ(Decoded(json, {"Ã", "a", "ÿ"}), "\uFFFDa\uFFFD");
  EXPECT_EQ(Decoded(json, {"Ġ日"}), "Ġ日");  // a character outside the map: the token itself
  EXPECT_EQ(Decoded(json, {}), "");
}

TEST(Decoder, ByteFallback) {
  EXPECT_EQ(Decoded(kFallback, {"<0xE2>", "<0x82>", "<0xAC>", "a"}), "\u20ACa");
  EXPECT_EQ(Decoded(kFallback, {"<0xe2>", "<0x82>", "<0xaC>"}), "\u20AC");
  // If a run is not UTF-8 as a whole, each of its tokens becomes one U+FFFD.
  EXPECT_EQ(Decoded(kFallback, {"<0xE2>", "<0x82>", "a"}), "\uFFFD\uFFFDa");
  EXPECT_EQ(Decoded(kFallback, {"<0x41>", "<0xFF>", "a", "<0x42>"}), "\uFFFD\uFFFDaB");
  EXPECT_EQ(Decoded(kFallback, {"<0x4>", "<0xGG>", "<0x411>", "0x41"}), "<0x4><0xGG><0x411>0x41");
}

TEST(Decoder, FuseStripReplace) {
  EXPECT_EQ(Decoded(kStrip, {" a", "  b", "c ", " "}), "a bc ");  // each token separately
  EXPECT_EQ(Decoded(Sequence(kFuse + "," + kStrip), {" ", " a"}), " a");
  const std::string both = R"({"type": "Strip", "content": "é", "start": 2, "stop": 1})";
  for (const size_t part : {1, 2, 100}) {
    EXPECT_EQ(Decoded(both, {"ééabé", "éaéé", "éé", "é", "aéa"}, part), "abaéaéa") << part;
    EXPECT_EQ(Decoded(Sequence(kFuse + "," + both), {"é", "éé", "abé", "é"}, part), "éabé") << part;
  }
  EXPECT_EQ(Decoded(R"({"type": "Replace", "pattern": {"String": "ab"}, "content": "c"})", {"aab", "a", "b"}), "acab");
  EXPECT_EQ(
      Decoded(Sequence(kFuse + R"(,{"type": "Replace", "pattern": {"String": "ab"}, "content": "c"})"), {"a", "b"}),
      "c");
}

TEST(Decoder, Metaspace) {
  const std::string start = R"({"type": "Metaspace", "replacement": "▁")";
  EXPECT_EQ(Decoded(start + "}", {"▁a", "▁b", "c▁"}), "a bc ");
  EXPECT_EQ(Decoded(start + R"(, "prepend_scheme": "never"})", {"▁a", "▁b"}), " a b");
  EXPECT_EQ(Decoded(start + R"(, "prepend_scheme": "first"})", {"a", "▁b"}), "a b");
}

TEST(Decoder, NoneJoinsTokensWithSpaces) {
  EXPECT_EQ(Decoded("null", {"a", "b", ""}), "a b ");
  EXPECT_EQ(Decoded(Sequence(""), {"a", "b"}), "ab");
}

// For any ids, even if they form no text, a stream gives the text of Decode.
TEST(StreamDecoder, EqualsTheWhole) {
  Json metaspace = LlamaLikeFile(), none = LlamaLikeFile();
  metaspace["decoder"] = Json::parse(Sequence(kFallback + R"(,{"type": "Metaspace", "replacement": "▁"})"));
  none["decoder"] = nullptr;
  const Tokens bytes = {"a", " ", "\xC3", "\xA9", "\xE2", "\x82", "\xAC", "\xF0", "\x9F", "\xFF"};
  std::mt19937 random(1);
  for (const Tokenizer& tokenizer : {Small(LlamaLikeFile()), Small(metaspace), Small(none), Tokenizer::Bytes()}) {
    for (int round = 0; round < 1000; ++round) {
      std::vector<int> ids(random() % 12);
      for (int& id : ids) {
        const int byte = static_cast<unsigned char>(bytes[random() % bytes.size()][0]);
        const bool word = tokenizer.vocabulary() > 256 && random() % 4 == 0;
        id = tokenizer.vocabulary() == 256 ? byte : word ? 259 + static_cast<int>(random() % 7) : byte + 3;
      }
      ASSERT_EQ(Streamed(tokenizer, ids), tokenizer.Decode(ids));
    }
  }
}

TEST(StreamDecoder, HoldsBackOnlyWhatMayChange) {
  StreamDecoder bytes(Tokenizer::Bytes(), false);
  EXPECT_EQ(bytes.Push('a'), "a");
  EXPECT_EQ(bytes.Push(0xE2), "");
  EXPECT_EQ(bytes.Push(0x82), "");
  EXPECT_EQ(bytes.Push(0xAC), "\u20AC");
  EXPECT_EQ(bytes.Push(0xE2), "");
  EXPECT_EQ(bytes.Push('b'), "\uFFFDb");
  EXPECT_EQ(bytes.Push(0xE2), "");
  EXPECT_EQ(bytes.Finish(), "\uFFFD");
  // A bad byte token makes the whole run bad, so byte tokens wait for the end of their run.
  StreamDecoder fallback(Small(LlamaLikeFile()), false);
  EXPECT_EQ(fallback.Push(264), "ab");  // "▁ab" at the start of the text
  EXPECT_EQ(fallback.Push(264), " ab");
  EXPECT_EQ(fallback.Push('x' + 3), "");
  EXPECT_EQ(fallback.Push(264), "x ab");
  EXPECT_EQ(fallback.Push('x' + 3), "");
  EXPECT_EQ(fallback.Push(0xFF + 3), "");
  EXPECT_EQ(fallback.Finish(), "\uFFFD\uFFFD");
}

TEST(StreamDecoder, LeavesSpecialTokensOut) {
  const Tokenizer tokenizer = Small(LlamaLikeFile());
  EXPECT_EQ(Streamed(tokenizer, {1, 264, 2, 264}, true), "ab ab");
  EXPECT_EQ(Streamed(tokenizer, {1, 264, 2, 264}, false), "<s> ab</s> ab");
}

// As in Hugging Face's library: a model may have rows for ids that have no token.
TEST(Decode, IdsWithoutATokenHaveNoText) {
  Json file = SmallFile({"a", "b", "c"});
  file["model"]["vocab"]["c"] = 4;
  const Tokenizer tokenizer = Small(file);
  for (const int id : {-1, 3, 5, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer.Decode({0, id, 4}), "ac") << id;
    EXPECT_EQ(Streamed(tokenizer, {0, id, 4}, false), "ac") << id;
  }
  EXPECT_EQ(tokenizer.IdsWithoutToken(), (std::vector<int>{2, 3}));
}

}  // namespace
}  // namespace ampgrad::models
