#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "models/model_directory.h"
#include "tensor/io/json.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/small_tokenizers.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::models {
namespace {

const Json kSmall = SmallFile({"a", "b"});

std::string Error(const std::function<void(Json&)>& change) { return ReadError(kSmall, change); }

// What the user sees when a file with this content is read; "D" stands for its directory.
std::string FileError(const std::string& content) {
  const TempDir directory;
  Put(directory.path() / "tokenizer.json", content);
  return MessageOf(directory.path(), [&] { Tokenizer::FromFile(directory.path() / "tokenizer.json"); });
}

TEST(TokenizerFile, RefusesWhatIsIncomplete) {
  EXPECT_EQ(Error([](Json&) {}), "");
  EXPECT_EQ(Error([](Json& j) { j["version"] = "2.0"; }), "expected version to be \"1.0\", found \"2.0\"");
  EXPECT_EQ(Error([](Json& j) { j.erase("version"); }), "");
  EXPECT_EQ(Error([](Json& j) { j.erase("model"); }), "expected model to be an object, found nothing");
  EXPECT_EQ(Error([](Json& j) { j["model"] = "BPE"; }), "expected model to be an object, found \"BPE\"");
  EXPECT_EQ(Error([](Json& j) { j["model"].erase("vocab"); }),
            "expected model.vocab to be an object of tokens and ids, found nothing");
  EXPECT_EQ(Error([](Json& j) { j["model"]["vocab"] = Json::object(); }),
            "expected model.vocab to be an object with at least one token, found {}");
  EXPECT_EQ(Error([](Json& j) { j["model"].erase("merges"); }), "expected model.merges to be an array, found nothing");
  EXPECT_EQ(Error([](Json& j) { j = Json::array(); }), "expected the file to be an object, found []");
  // Old files have no type; a BPE is recognised by its merges.
  EXPECT_EQ(Error([](Json& j) { j["model"].erase("type"); }), "");
}

TEST(TokenizerFile, NamesTheFile) {
  const TempDir directory;
  const auto path = directory.path() / "tokenizer.json";
  EXPECT_EQ(MessageOf(directory.path(), [&] { Tokenizer::FromFile(path); }), "D/tokenizer.json: no such file");
  EXPECT_EQ(FileError("[]"), "D/tokenizer.json: expected a JSON object, found array");
  EXPECT_EQ(FileError("{}"), "D/tokenizer.json: expected model to be an object, found nothing");
  EXPECT_TRUE(FileError("").starts_with("D/tokenizer.json: not valid JSON: "));
  EXPECT_EQ(FileError(R"({"model": {"vocab": {"a": 0, "b": 1, "a": 2}, "merges": []}})"),
            "D/tokenizer.json: the key \"a\" stands twice");
  EXPECT_EQ(FileError(kSmall.dump()), "");
}

TEST(TokenizerFile, RefusesUnknownComponentsByName) {
  const auto error = [](const char* part, const Json& value) { return Error([&](Json& j) { j[part] = value; }); };
  for (const char* name : {"NFD", "NFKC", "Lowercase", "Strip", "Precompiled"}) {
    EXPECT_EQ(error("normalizer", {{"type", name}}),
              "expected normalizer.type to be \"NFC\", \"Prepend\", \"Replace\" or \"Sequence\", found \"" +
                  std::string(name) + "\"");
  }
  EXPECT_EQ(
      error("normalizer", Json::parse(R"({"type": "Sequence", "normalizers": [{"type": "NFD"}]})")),
      "expected normalizer.normalizers[0].type to be \"NFC\", \"Prepend\", \"Replace\" or \"Sequence\", found \"NFD\"");
  EXPECT_EQ(error("pre_tokenizer", {{"type", "Whitespace"}}),
            "expected pre_tokenizer.type to be \"ByteLevel\", \"Metaspace\", \"Digits\", \"Split\" or \"Sequence\", "
            "found \"Whitespace\"");
  EXPECT_EQ(
      error("decoder", {{"type", "WordPiece"}}),
      "expected decoder.type to be \"ByteLevel\", \"ByteFallback\", \"Fuse\", \"Strip\", \"Replace\", \"Metaspace\" or "
      "\"Sequence\", found \"WordPiece\"");
  EXPECT_EQ(error("post_processor", {{"type", "BertProcessing"}}),
            "expected post_processor.type to be \"ByteLevel\", \"TemplateProcessing\" or \"Sequence\", found "
            "\"BertProcessing\"");
  EXPECT_EQ(error("normalizer", Json::object()), "expected normalizer.type to be a string, found nothing");
  EXPECT_EQ(error("decoder", "Fuse"), "expected decoder to be an object, found \"Fuse\"");
  EXPECT_EQ(error("of somebody else", 1), "");
}

TEST(TokenizerFile, RefusesReplaceThatIsNotPlain) {
  const auto error = [](const std::string& fields) {
    return Error([&](Json& j) { j["normalizer"] = Json::parse(R"({"type": "Replace", )" + fields + "}"); });
  };
  EXPECT_EQ(error(R"("pattern": {"Regex": "a+"}, "content": "b")"),
            "expected normalizer.pattern to be {\"String\": …}, found {\"Regex\":\"a+\"}");
  EXPECT_EQ(error(R"("pattern": {"String": ""}, "content": "b")"),
            "expected normalizer.pattern.String to be a string that is not empty, found \"\"");
  EXPECT_EQ(error(R"("pattern": {"String": "a"})"), "expected normalizer.content to be a string, found nothing");
}

// Steps that each lengthen a text 16 times would turn a line into gigabytes.
TEST(TokenizerFile, RefusesReplacementsThatPileUp) {
  const Json step = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(16, 'a')}};
  const std::string error =
      " to be so short that all steps lengthen a text at most 64 times, found \"aaaaaaaaaaaaaaaa\"";
  EXPECT_EQ(Error([&](Json& j) { j["normalizer"] = step; }), "");
  EXPECT_EQ(Error([&](Json& j) {
              j["normalizer"] = {{"type", "Sequence"}, {"normalizers", {step, step}}};
            }),
            "expected normalizer.normalizers[1].content" + error);
  EXPECT_EQ(Error([&](Json& j) {
              j["decoder"] = {{"type", "Sequence"}, {"decoders", {step, step}}};
            }),
            "expected decoder.decoders[1].content" + error);
}

TEST(TokenizerFile, RefusesWrongIds) {
  const auto error = [](const Json& id) { return Error([&](Json& j) { j["model"]["vocab"]["b"] = id; }); };
  EXPECT_EQ(error(0), "expected each id once, found the id 0 for \"a\" and for \"b\"");
  for (const Json& id : {Json(-1), Json(uint64_t{1} << 32), Json(INT32_MAX), Json(1.0), Json("1"), Json(true)}) {
    EXPECT_EQ(error(id), "expected model.vocab.b to be an integer in 0..2147483646, found " + id.dump());
  }
  EXPECT_EQ(error(nullptr), "expected model.vocab.b to be an integer in 0..2147483646, found nothing");
  EXPECT_EQ(error(3), "");  // a few ids without a token are harmless
  EXPECT_EQ(error(4), "expected the ids of 2 tokens to be below 4, found 4");
  EXPECT_EQ(error(INT32_MAX - 1), "expected the ids of 2 tokens to be below 4, found 2147483646");
}

// The model has rows for fewer ids: 23, of 256. That is an error only once a text needs one of the others.
TEST(TokenizerFile, RefusesTextsThatNeedIdsBeyondTheModel) {
  const TempDir directory;
  const auto model = TinyGpt(9);
  Put(directory.path() / "tokenizer.json", Tokenizer::Bytes().ToJson().dump());
  ::testing::internal::CaptureStderr();
  const Tokenizer tokenizer = LoadTokenizer(directory.path(), *model);
  const std::string note = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(note.find("/tokenizer.json: 233 of its tokens, such as \"\\u0117\" (23), have no row in the model's "
                      "embedding of 23\n"),
            std::string::npos)
      << note;
  EXPECT_EQ(tokenizer.Encode("\t\n"), (std::vector<int>{9, 10}));
  EXPECT_EQ(MessageOf(directory.path(), [&] { tokenizer.Encode("\ta"); }),
            "D/tokenizer.json: expected tokens that have a row in the model's embedding of 23, found \"a\" (97)");
  EXPECT_EQ(MessageOf(directory.path(), [&] { tokenizer.RequireRow(22); }), "");
  Put(directory.path() / "tokenizer.json", kSmall.dump());
  EXPECT_EQ(LoadTokenizer(directory.path(), *model).vocabulary(), 2);
}

TEST(TokenizerFile, RefusesTruncationAndPadding) {
  EXPECT_EQ(Error([](Json& j) {
              j["truncation"] = {{"max_length", 50}};
            }),
            "expected truncation to be null, found {\"max_length\":50}");
  EXPECT_EQ(Error([](Json& j) {
              j["padding"] = {{"pad_id", 0}};
            }),
            "expected padding to be null, found {\"pad_id\":0}");
  EXPECT_EQ(Error([](Json& j) { j["truncation"] = j["padding"] = nullptr; }), "");
}

TEST(TokenizerFile, TemplatePutsIdsAroundAText) {
  Json file = SmallFile({"a", "b", "<s>", "</s>"});
  file["post_processor"] = Json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"},
      {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"SpecialToken": {"id": "two"}},
       {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
       "special_tokens": {"<s>": {"ids": [2]}, "two": {"ids": [2, 3]}, "</s>": {"ids": [3]}}}]})");
  EXPECT_EQ(Small(file).prefix(), (std::vector<int>{2, 2, 3}));
  EXPECT_EQ(Small(file).Encode("ab", true), (std::vector<int>{2, 2, 3, 0, 1, 3}));
  EXPECT_EQ(Small(file).Encode("ab"), (std::vector<int>{0, 1}));
  EXPECT_EQ(Small(file).Id("</s>"), 3);
  EXPECT_FALSE(Small(file).Id("</t>"));

  const auto error = [&](const std::string& single) {
    return ReadError(file, [&](Json& j) { j["post_processor"]["processors"][1]["single"] = Json::parse(single); });
  };
  const std::string name = "expected post_processor.processors[1].single";
  EXPECT_EQ(error(R"([{"SpecialToken": {"id": "<t>"}}])"),
            name + "[0].SpecialToken.id to be one of special_tokens, found \"<t>\"");
  EXPECT_EQ(error("[]"), name + " to be an array with the sequence A, found []");
  EXPECT_EQ(error(R"([{"Sequence": {"id": "B"}}])"),
            name + "[0] to be a special token, or once the sequence A, found {\"Sequence\":{\"id\":\"B\"}}");
  file["post_processor"]["processors"][1]["special_tokens"]["two"]["ids"] = {4};
  EXPECT_EQ(ReadError(file, [](Json&) {}), "expected post_processor to add ids of tokens, found 4");
}

TEST(TokenizerFile, GivesBackTheJsonItWasReadFrom) {
  EXPECT_EQ(Small(LlamaLikeFile()).ToJson(), LlamaLikeFile());
  const Tokenizer copy = Small(LlamaLikeFile());
  EXPECT_EQ(Tokenizer(copy).Encode("abc"), copy.Encode("abc"));
}

}  // namespace
}  // namespace ampgrad::models
