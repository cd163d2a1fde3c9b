#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::models {
namespace {

using Json = nlohmann::json;

// Our own tokenizer.json after a change.
Json Changed(const std::function<void(Json&)>& change) {
  Json json = Tokenizer::Bytes().ToJson();
  change(json);
  return json;
}

TEST(Bytes, IdsAreBytes) {
  std::string text;
  std::vector<int> ids;
  for (int byte = 0; byte < 128; ++byte) {
    text.push_back(static_cast<char>(byte));
    ids.push_back(byte);
  }
  const Tokenizer tokenizer = Tokenizer::Bytes();
  EXPECT_EQ(tokenizer.Encode(text), ids);
  EXPECT_EQ(tokenizer.Decode(ids), text);
  EXPECT_EQ(tokenizer.Encode("Aé"), (std::vector<int>{0x41, 0xC3, 0xA9}));
  EXPECT_EQ(tokenizer.Decode({0x41, 0xC3, 0xA9}), "Aé");
  EXPECT_TRUE(tokenizer.Encode("").empty());
  EXPECT_EQ(tokenizer.Decode({}), "");
  EXPECT_EQ(tokenizer.vocabulary(), 256);
  EXPECT_TRUE(tokenizer.prefix().empty());
  EXPECT_EQ(tokenizer.Encode("Aé", true, Tokenizer::Markup::kTokens), tokenizer.Encode("Aé"));
}

// Ids may come from an untrained model. Their bytes are shown as far as they are text.
TEST(Bytes, DecodesBytesThatAreNoText) { EXPECT_EQ(Tokenizer::Bytes().Decode({0xC3, 0x41, 0xFF}), "\uFFFDA\uFFFD"); }

// GPT-2's byte map: the printable bytes 21-7E, A1-AC and AE-FF are themselves, the others U+0100 and on, in order.
TEST(Bytes, WritesGpt2sByteMap) {
  const Json vocab = Tokenizer::Bytes().ToJson()["model"]["vocab"];
  ASSERT_EQ(vocab.size(), 256u);
  const std::vector<std::pair<std::string, int>> known = {
      {"!", 0x21},      {"A", 0x41},      {"\"", 0x22},     {"~", 0x7E},      {"\u00A1", 0xA1}, {"\u00AC", 0xAC},
      {"\u00AE", 0xAE}, {"\u00FF", 0xFF}, {"\u0100", 0x00}, {"\u0109", '\t'}, {"\u010A", '\n'}, {"\u010D", '\r'},
      {"\u0120", ' '},  {"\u0121", 0x7F}, {"\u0142", 0xA0}, {"\u0143", 0xAD}};
  for (const auto& [token, byte] : known) {
    ASSERT_TRUE(vocab.contains(token)) << token;
    EXPECT_EQ(vocab[token], byte) << token;
  }
  // 188 of them one code point for itself, 68 from U+0100 to U+0143.
  std::set<int> moved;
  for (const auto& [token, id] : vocab.items()) {
    const bool two = static_cast<unsigned char>(token[0]) >= 0xC4;  // U+0100 and above
    if (two) moved.insert(((token[0] & 0x1F) << 6) | (token[1] & 0x3F));
  }
  EXPECT_EQ(moved.size(), 68u);
  EXPECT_EQ(*moved.begin(), 0x100);
  EXPECT_EQ(*moved.rbegin(), 0x143);
}

TEST(Bytes, WritesWhatHuggingFaceReads) {
  const Json json = Tokenizer::Bytes().ToJson();
  EXPECT_EQ(json["version"], "1.0");
  EXPECT_EQ(json["added_tokens"], Json::array());
  for (const char* key : {"truncation", "padding", "normalizer", "post_processor"}) {
    ASSERT_TRUE(json.contains(key)) << key;
    EXPECT_TRUE(json[key].is_null()) << key;
  }
  EXPECT_EQ(json["pre_tokenizer"]["type"], "ByteLevel");
  EXPECT_EQ(json["pre_tokenizer"]["add_prefix_space"], false);
  EXPECT_EQ(json["decoder"]["type"], "ByteLevel");
  EXPECT_EQ(json["model"]["type"], "BPE");
  EXPECT_EQ(json["model"]["merges"], Json::array());
  EXPECT_EQ(json["model"]["byte_fallback"], false);
  for (const char* key : {"dropout", "unk_token"}) EXPECT_TRUE(json["model"][key].is_null()) << key;
}

TEST(Bytes, ReadsBackWhatItWrote) {
  const TempDir directory;
  const Json json = Tokenizer::Bytes().ToJson();
  Put(directory.path() / "tokenizer.json", json.dump());
  const Tokenizer back = Tokenizer::FromFile(directory.path() / "tokenizer.json");
  EXPECT_EQ(back.ToJson(), json);
  const std::string text = "One 1,\n\t  two  \u00E9\u20AC\U0001F600 don't\n";
  EXPECT_EQ(back.Encode(text), Tokenizer::Bytes().Encode(text));
  EXPECT_EQ(back.Decode(back.Encode(text)), text);
}

TEST(Bytes, ReadsOtherIds) {
  const Json json = Changed([](Json& j) {
    for (auto& [token, id] : j["model"]["vocab"].items()) id = (id.get<int>() * 5 + 3) % 256;
  });
  const Tokenizer tokenizer = Tokenizer::FromJson(json, "tokenizer.json");
  EXPECT_EQ(tokenizer.Encode("A\n"), (std::vector<int>{(0x41 * 5 + 3) % 256, 10 * 5 + 3}));
  EXPECT_EQ(tokenizer.Decode({(0x41 * 5 + 3) % 256}), "A");
  EXPECT_EQ(tokenizer.ToJson(), json);
}

TEST(Bytes, IdsOutsideTheVocabularyHaveNoText) {
  for (const int id : {-1, 256, INT32_MAX, INT32_MIN}) EXPECT_EQ(Tokenizer::Bytes().Decode({65, id}), "A");
}

}  // namespace
}  // namespace ampgrad::models
