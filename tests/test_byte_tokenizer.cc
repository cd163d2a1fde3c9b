#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/byte_tokenizer.h"
#include "tests/expect_message.h"
#include "tests/files.h"
#include "tests/temp_dir.h"

namespace ampgrad::models {
namespace {

using Json = nlohmann::json;

std::string AllBytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  return bytes;
}

// What reading this tokenizer.json says, or ""; "D" stands for the directory.
std::string ReadError(const Json& json) {
  const TempDir directory;
  Put(directory.path() / "tokenizer.json", json.dump());
  return MessageOf(directory.path(), [&] { ByteTokenizer::FromFile(directory.path() / "tokenizer.json"); });
}

ByteTokenizer Read(const Json& json) {
  const TempDir directory;
  Put(directory.path() / "tokenizer.json", json.dump());
  return ByteTokenizer::FromFile(directory.path() / "tokenizer.json");
}

// Our own tokenizer.json after a change.
Json Changed(const std::function<void(Json&)>& change) {
  Json json = ByteTokenizer().ToJson();
  change(json);
  return json;
}

const std::string kStart = "D/tokenizer.json: expected a byte-level tokenizer without merges, found ";

TEST(ByteTokenizer, IdsAreBytes) {
  std::vector<int> ids;
  for (int byte = 0; byte < 256; ++byte) ids.push_back(byte);
  const ByteTokenizer tokenizer;
  EXPECT_EQ(tokenizer.Encode(AllBytes()), ids);
  EXPECT_EQ(tokenizer.Decode(ids), AllBytes());
  EXPECT_EQ(tokenizer.Encode("Aé"), (std::vector<int>{0x41, 0xC3, 0xA9}));
  EXPECT_TRUE(tokenizer.Encode("").empty());
  EXPECT_EQ(tokenizer.Decode({}), "");
}

// GPT-2's byte map: the printable bytes 21-7E, A1-AC and AE-FF are themselves, the others U+0100 and on, in order.
TEST(ByteTokenizer, WritesGpt2sByteMap) {
  const Json vocab = ByteTokenizer().ToJson()["model"]["vocab"];
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

TEST(ByteTokenizer, WritesWhatHuggingFaceReads) {
  const Json json = ByteTokenizer().ToJson();
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

TEST(ByteTokenizer, ReadsBackWhatItWrote) {
  const Json json = ByteTokenizer().ToJson();
  const ByteTokenizer back = Read(json);
  EXPECT_EQ(back.ToJson(), json);
  EXPECT_EQ(back.Encode(AllBytes()), ByteTokenizer().Encode(AllBytes()));
}

TEST(ByteTokenizer, ReadsOtherIds) {
  const Json json = Changed([](Json& j) {
    for (auto& [token, id] : j["model"]["vocab"].items()) id = (id.get<int>() * 5 + 3) % 256;
  });
  const ByteTokenizer tokenizer = Read(json);
  EXPECT_EQ(tokenizer.Encode("A\n"), (std::vector<int>{(0x41 * 5 + 3) % 256, 10 * 5 + 3}));
  EXPECT_EQ(tokenizer.Decode({(0x41 * 5 + 3) % 256}), "A");
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(AllBytes())), AllBytes());
  EXPECT_EQ(tokenizer.ToJson()["model"]["vocab"], json["model"]["vocab"]);
}

TEST(ByteTokenizer, RefusesIdsOutsideTheVocabulary) {
  for (const int id : {-1, 256, INT32_MAX, INT32_MIN}) {
    ExpectMessage<std::invalid_argument>(
        [&] {
          ByteTokenizer().Decode({65, id});
        },
        "[tokenizer] expected ids in 0..255, found " + std::to_string(id));
  }
}

TEST(ByteTokenizer, RefusesFilesThatAreNoTokenizer) {
  const TempDir directory;
  const auto path = directory.path() / "tokenizer.json";
  const auto error = [&] { return MessageOf(directory.path(), [&] { ByteTokenizer::FromFile(path); }); };
  EXPECT_EQ(error(), "D/tokenizer.json: no such file");
  Put(path, "[]");
  EXPECT_EQ(error(), "D/tokenizer.json: expected a JSON object, found array");
  Put(path, "");
  EXPECT_TRUE(error().starts_with("D/tokenizer.json: not valid JSON: ")) << error();
  Put(path, "{}");
  EXPECT_EQ(error(), kStart + "no model");
}

TEST(ByteTokenizer, RefusesWhatChangesTheText) {
  const auto error = [](const std::function<void(Json&)>& change) { return ReadError(Changed(change)); };
  EXPECT_EQ(error([](Json&) {}), "");
  EXPECT_EQ(error([](Json& j) { j["model"] = nullptr; }), kStart + "no model");
  EXPECT_EQ(error([](Json& j) { j["model"] = "BPE"; }), kStart + "no model");
  EXPECT_EQ(error([](Json& j) { j["model"]["merges"] = {"a b"}; }), kStart + "merges");
  EXPECT_EQ(error([](Json& j) { j["model"]["merges"] = nullptr; }), kStart + "merges");
  EXPECT_EQ(error([](Json& j) { j["model"].erase("merges"); }), kStart + "merges");
  EXPECT_EQ(error([](Json& j) { j["added_tokens"] = {{{"id", 256}, {"content", "<s>"}}}; }), kStart + "added tokens");
  EXPECT_EQ(error([](Json& j) { j["normalizer"] = {{"type", "NFC"}}; }), kStart + "a normalizer");
  EXPECT_EQ(error([](Json& j) { j.erase("added_tokens"), j.erase("normalizer"); }), "");
}

// Read as if these were not there, texts would get other ids than Hugging Face's library gives them.
TEST(ByteTokenizer, RefusesAPipelineOfAnotherKind) {
  const auto refused = [](const std::function<void(Json&)>& change) {
    return ReadError(Changed(change)).starts_with(kStart);
  };
  EXPECT_TRUE(refused([](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }));
  EXPECT_TRUE(refused([](Json& j) { j["pre_tokenizer"] = {{"type", "Metaspace"}}; }));
  EXPECT_TRUE(refused([](Json& j) { j["pre_tokenizer"] = nullptr; }));  // bytes would not be mapped
  EXPECT_TRUE(refused([](Json& j) { j["post_processor"] = {{"type", "TemplateProcessing"}}; }));
  EXPECT_TRUE(refused([](Json& j) { j["truncation"] = {{"max_length", 8}}; }));
  EXPECT_TRUE(refused([](Json& j) { j["padding"] = {{"pad_id", 0}}; }));
  EXPECT_TRUE(refused([](Json& j) { j["model"]["type"] = "WordLevel"; }));
}

TEST(ByteTokenizer, RefusesAnotherVocabulary) {
  const auto error = [](const std::function<void(Json&)>& change) {
    return ReadError(Changed([&](Json& j) { change(j["model"]["vocab"]); }));
  };
  const std::string size = kStart + "a vocabulary of another size than 256";
  EXPECT_EQ(error([](Json& v) { v = nullptr; }), size);
  EXPECT_EQ(error([](Json& v) { v = Json::array(); }), size);
  EXPECT_EQ(error([](Json& v) { v.erase("A"); }), size);
  EXPECT_EQ(error([](Json& v) { v["AB"] = 256; }), size);
  EXPECT_EQ(error([](Json& v) { v.erase("A"), v["AB"] = 65; }), kStart + "no token for byte 65");
  EXPECT_EQ(error([](Json& v) { v.erase("\u0120"), v[" "] = 32; }), kStart + "no token for byte 32");
}

TEST(ByteTokenizer, RefusesOtherIdsThanAPermutation) {
  const auto error = [](const Json& id) { return ReadError(Changed([&](Json& j) { j["model"]["vocab"]["A"] = id; })); };
  for (const Json& id : {Json(64), Json(256), Json(-1), Json(uint64_t{1} << 32), Json(INT64_MIN), Json(65.0),
                         Json("65"), Json(nullptr), Json(true), Json::array()}) {
    // Of two bytes with one id, the second in order is the one at fault.
    EXPECT_EQ(error(id), kStart + "the id " + id.dump() + " for byte 65");
  }
  EXPECT_EQ(error(66), kStart + "the id 66 for byte 66");
}

}  // namespace
}  // namespace ampgrad::models
