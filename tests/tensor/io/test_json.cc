#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/io/json.h"
#include "tests/support/expect_message.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

/// JSON as text, and the values in it.
namespace ampgrad::io {
namespace {

using Json = nlohmann::json;

// What reading the field "x" with this value says, without "f: expected x to be "; "" when it is accepted.
std::string Refusal(const Json& value, const std::function<void(const JsonValue&)>& read) {
  const Json file = {{"x", value}};
  const std::string start = "f: expected x to be ",
                    error = MessageOf({}, [&] { read(JsonValue(file, "f").Field("x")); });
  return error.starts_with(start) ? error.substr(start.size()) : error;
}

// The message of a value that is not a number.
std::string Found(const Json& value) {
  const std::string error = Refusal(value, [](const JsonValue&x) { x.Number(); }), start = "a number, found ";
  return error.starts_with(start) ? error.substr(start.size()) : error;
}

void ExpectParseError(const std::string& text, const std::string& message) {
  ExpectMessage<std::runtime_error>([&] { ParseJson(text, "f"); }, message);
}

TEST(JsonText, IsParsed) {
  EXPECT_EQ(ParseJson(R"({"a": [1, -2.5, "é", null, true]})", "f"), Json({{"a", {1, -2.5, "é", nullptr, true}}}));
  EXPECT_EQ(ParseJson(" 7\n", "f"), 7);
  EXPECT_EQ(ParseJsonObject("{}", "f"), Json::object());
}

TEST(JsonText, RefusesWhatIsNoJson) {
  for (const std::string text : {"", "{", "[1,]", "{'a': 1}", "nul", "1 2", "NaN", "1e999", "\"\xFF\"", "\"\xC2\""}) {
    const std::string error = MessageOf({}, [&] { ParseJson(text, "f"); });
    EXPECT_TRUE(error.starts_with("f: not valid JSON: ")) << text << ": " << error;
    EXPECT_EQ(error.find("json.exception"), error.npos) << error;
  }
  ExpectParseError("\xEF\xBB\xBF{}", "f: not valid JSON: it starts with a byte-order mark");
}

TEST(JsonText, RefusesDeepNesting) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(MessageOf({}, [&] { ParseJson(nested(64), "f"); }), "");
  ExpectParseError(nested(66), "f: JSON nested deeper than 64");
  ExpectParseError(nested(100'000), "f: JSON nested deeper than 64");
}

TEST(JsonText, RefusesAKeyThatStandsTwice) {
  ExpectParseError(R"({"a": 1, "b": {"a": 2, "\u0061": 3}})", "f: the key \"a\" stands twice");
  ExpectParseError(R"({"é\u001b": 1, "é\u001b": 2})", R"(f: the key "\u00e9\u001b" stands twice)");
  EXPECT_EQ(MessageOf({}, [] { ParseJson(R"([{"a": {"a": 1}}, {"a": 2}])", "f"); }), "");
}

// A message must not flood a terminal with a long text, nor send control characters to it.
TEST(JsonText, IsCutInMessages) {
  const std::string much(1'000'000, 'x');
  for (const std::string& text :
       {"\"" + much, much, "{\"" + much + "\":1,\"" + much + "\":2}", std::string(5000, '9')}) {
    const std::string error = MessageOf({}, [&] { ParseJsonObject(text, "f"); });
    EXPECT_TRUE(error.starts_with("f: ")) << error;
    EXPECT_LT(error.size(), 300u);
  }
  for (const std::string text : {"\"\xC2\x9B\x1B", "\"\x7F\xFF"}) {
    for (const char c : MessageOf({}, [&] { ParseJson(text, "f"); })) EXPECT_TRUE(c >= ' ' && c < 0x7F) << int{c};
  }
}

TEST(JsonText, RefusesNulBytes) {
  for (const std::string& text : {std::string("{}\0", 3), std::string("{}\0garbage", 10), std::string("\0{}", 3)}) {
    const std::string at = std::to_string(text.find('\0'));
    ExpectParseError(text, "f: not valid JSON: byte " + at + " is a NUL");
  }
  ExpectParseError(std::string("[\"a\0b\"]", 7), "f: not valid JSON: byte 3 is a NUL");
  EXPECT_EQ(ParseJson(R"("a\u0000b")", "f"), std::string("a\0b", 3));
}

// A value takes many times the memory of its text.
TEST(JsonText, BoundsTheNumberOfValues) {
  const auto list = [](const std::string& value, size_t count) {
    std::string text = "[" + value;
    for (size_t i = 1; i < count; ++i) text += "," + value;
    return text + "]";
  };
  EXPECT_EQ(ParseJson(list("0", 3'999'999), "f").size(), 3'999'999u);
  const std::string message = "f: expected at most 4000000 values in JSON, found more";
  ExpectParseError(list("0", 4'000'000), message);
  ExpectParseError(list("{}", 4'000'000), message);
  ExpectParseError("{\"a\":" + list("[]", 5'000'000) + "}", message);
}

// What is kept of one object must not cost time in the next ones.
TEST(JsonText, TakesTimeInProportionToItsLength) {
  std::string text = "[{";
  for (int i = 0; i < 300'000; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
  text += "}";
  for (int i = 0; i < 300'000; ++i) text += ",{}";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ParseJson(text + "]", "f").size(), 300'001u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(JsonText, ReadsObjectsFromFiles) {
  const TempDir directory;
  const std::filesystem::path file = directory.path() / "f";
  const auto error = [&](const std::string& text) {
    Put(file, text);
    return MessageOf(directory.path(), [&] { ReadJsonObject(file); });
  };
  EXPECT_EQ(error(R"({"a": 1})"), "");
  EXPECT_EQ(ReadJsonObject(file), Json({{"a", 1}}));
  EXPECT_EQ(error("[1]"), "D/f: expected a JSON object, found array");
  EXPECT_EQ(error("null"), "D/f: expected a JSON object, found null");
  std::filesystem::remove(file);
  EXPECT_EQ(MessageOf(directory.path(), [&] { ReadJsonObject(file); }), "D/f: no such file");
}

// ---- Values

TEST(JsonValue, Strings) {
  const auto read = [](const JsonValue& x) { x.String(); };
  const Json file = {{"x", "word"}, {"empty", ""}};
  const JsonValue root(file, "f");
  EXPECT_EQ(root.Field("x").String(), "word");
  EXPECT_EQ(root.Field("x").NonEmptyString(), "word");
  EXPECT_EQ(root.Field("empty").String(), "");
  EXPECT_EQ(root.Field("x").StringOr("other"), "word");
  EXPECT_EQ(root.Field("missing").StringOr("other"), "other");
  for (const Json& value : {Json(1), Json(true), Json::array({"word"}), Json::object()}) {
    EXPECT_EQ(Refusal(value, read), "a string, found " + value.dump());
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.StringOr(""); }), "a string, found " + value.dump());
  }
  EXPECT_EQ(Refusal(nullptr, read), "a string, found nothing");
  EXPECT_EQ(Refusal("", [](const JsonValue& x) { x.NonEmptyString(); }), "a string that is not empty, found \"\"");
}

TEST(JsonValue, Booleans) {
  const auto read = [](const JsonValue& x) { x.Boolean(); };
  const Json file = {{"yes", true}, {"no", false}};
  const JsonValue root(file, "f");
  EXPECT_TRUE(root.Field("yes").Boolean());
  EXPECT_FALSE(root.Field("no").BooleanOr(true));
  EXPECT_TRUE(root.Field("missing").BooleanOr(true));
  for (const Json& value : {Json(1), Json("true"), Json::array()}) {
    EXPECT_EQ(Refusal(value, read), "true or false, found " + value.dump());
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.BooleanOr(true); }), "true or false, found " + value.dump());
  }
  EXPECT_EQ(Refusal(nullptr, read), "true or false, found nothing");
}

TEST(JsonValue, OnlySupportedBooleans) {
  for (const Json& value : {Json(true), Json(nullptr)}) {
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.RefuseUnless(true); }), "");
  }
  EXPECT_EQ(Refusal(false, [](const JsonValue& x) { x.RefuseUnless(true); }), "f: x = false is not supported");
  EXPECT_EQ(Refusal(true, [](const JsonValue& x) { x.RefuseUnless(false); }), "f: x = true is not supported");
  EXPECT_EQ(Refusal(0, [](const JsonValue& x) { x.RefuseUnless(false); }), "true or false, found 0");
}

TEST(JsonValue, Integers) {
  const auto read = [](const JsonValue& x) { x.Integer(-1, 7); };
  const Json file = {{"x", 7}, {"low", INT64_MIN}, {"high", INT64_MAX}};
  const JsonValue root(file, "f");
  EXPECT_EQ(root.Field("x").Integer(7, 7), 7);
  EXPECT_EQ(root.Field("low").Integer(INT64_MIN, 0), INT64_MIN);
  EXPECT_EQ(root.Field("high").Integer(0, INT64_MAX), INT64_MAX);
  EXPECT_EQ(root.Field("x").IntegerOr(3, 0, 10), 7);
  EXPECT_EQ(root.Field("missing").IntegerOr(-3, 0, 10), -3);  // a fallback has no range
  for (const Json& value : {Json(-2), Json(8), Json(7.0), Json("7"), Json(true), Json(uint64_t{1} << 63),
                            Json(UINT64_MAX), Json::array({7})}) {
    EXPECT_EQ(Refusal(value, read), "an integer in -1..7, found " + value.dump());
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.IntegerOr(0, -1, 7); }),
              "an integer in -1..7, found " + value.dump());
  }
  EXPECT_EQ(Refusal(nullptr, read), "an integer in -1..7, found nothing");
}

TEST(JsonValue, OneIntegerOrAList) {
  const auto read = [](const Json& value) {
    const Json file = {{"x", value}};
    return JsonValue(file, "f").Field("x").Integers(0, 7);
  };
  EXPECT_EQ(read(7), std::vector<Index>{7});
  EXPECT_EQ(read({3, 0}), (std::vector<Index>{3, 0}));
  EXPECT_EQ(read(Json::array()), std::vector<Index>{});
  EXPECT_EQ(read(nullptr), std::vector<Index>{});
  for (const Json& value : {Json(8), Json("7"), Json({3, -1}), Json({3, nullptr}), Json({{3}}), Json::object()}) {
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.Integers(0, 7); }),
              "an integer or a list of integers in 0..7, found " + value.dump());
  }
}

TEST(JsonValue, Numbers) {
  const Json file = {{"x", 2.5}, {"negative", -3}};
  const JsonValue root(file, "f");
  EXPECT_EQ(root.Field("x").Number(), 2.5);
  EXPECT_EQ(root.Field("negative").Number(), -3);
  EXPECT_EQ(root.Field("x").Positive(), 2.5);
  EXPECT_EQ(root.Field("x").PositiveOr(4), 2.5);
  EXPECT_EQ(root.Field("missing").PositiveOr(-4), -4);
  for (const Json& value : {Json("1"), Json(true), Json::array({1})}) EXPECT_EQ(Found(value), value.dump());
  EXPECT_EQ(Found(nullptr), "nothing");
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const Json& value : {Json(0), Json(-0.0), Json(-1), Json("1"), Json(true), Json(infinity), Json(nan)}) {
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.Positive(); }), "a number over 0, found " + value.dump());
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.PositiveOr(1); }), "a number over 0, found " + value.dump());
  }
  EXPECT_EQ(Refusal(nullptr, [](const JsonValue& x) { x.Positive(); }), "a number over 0, found nothing");
}

TEST(JsonValue, MissingAndNullLookAlike) {
  const Json file = {{"null", nullptr}, {"list", {nullptr}}, {"zero", 0}};
  const JsonValue root(file, "f");
  EXPECT_TRUE(root.Field("null").null());
  EXPECT_TRUE(root.Field("missing").null());
  EXPECT_TRUE(root.Field("list").Item(0).null());
  EXPECT_TRUE(root.Field("list").Item(1).null());
  EXPECT_FALSE(root.Has("null"));
  EXPECT_FALSE(root.Has("missing"));
  EXPECT_TRUE(root.Has("zero"));
  EXPECT_EQ(root.Field("zero").json(), 0);
  EXPECT_EQ(root.file(), "f");
}

TEST(JsonValue, GoesThroughAnArray) {
  const Json file = {{"x", {3, 1, 2}}, {"none", Json::array()}};
  const JsonValue root(file, "f");
  std::vector<Index> integers;
  for (const JsonValue& item : root.Field("x").Items()) integers.push_back(item.Integer(0, 9));
  EXPECT_EQ(integers, (std::vector<Index>{3, 1, 2}));
  for (const JsonValue& item : root.Field("none").Items()) ADD_FAILURE() << item.json();
  for (const Json& value : {Json(3), Json("abc"), Json::object()}) {
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.Items(); }), "an array, found " + value.dump());
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.Item(0); }), "an array, found " + value.dump());
  }
  for (const Json& value : {Json(3), Json("abc"), Json::array()}) {
    EXPECT_EQ(Refusal(value, [](const JsonValue& x) { x.Field("a"); }), "an object, found " + value.dump());
  }
  EXPECT_EQ(Refusal(nullptr, [](const JsonValue& x) { x.Field("a"); }), "an object, found nothing");
}

TEST(JsonValue, SaysWhereItStands) {
  const Json file = Json::parse(R"({"a": {"b": [0, {"c": "word"}, [true]]}})");
  const JsonValue root(file, "d.jsonl:7");
  const JsonValue list = root.Field("a").Field("b");
  ExpectMessage<std::runtime_error>([&] { list.Item(1).Field("c").Number(); },
                                    "d.jsonl:7: expected a.b[1].c to be a number, found \"word\"");
  ExpectMessage<std::runtime_error>([&] { list.Item(2).Item(0).String(); },
                                    "d.jsonl:7: expected a.b[2][0] to be a string, found true");
  ExpectMessage<std::runtime_error>([&] { list.Item(1).Field("d").String(); },
                                    "d.jsonl:7: expected a.b[1].d to be a string, found nothing");
  ExpectMessage<std::runtime_error>([&] { list.Item(9).Boolean(); },
                                    "d.jsonl:7: expected a.b[9] to be true or false, found nothing");
  ExpectMessage<std::runtime_error>([&] { root.Items(); },
                                    "d.jsonl:7: expected the file to be an array, found " + file.dump());
  ExpectMessage<std::runtime_error>([&] { list.Fail("a and b to agree", "two"); },
                                    "d.jsonl:7: expected a and b to agree, found two");
}

TEST(JsonValue, IsCutInMessages) {
  EXPECT_EQ(Found(std::string(198, 'x')), "\"" + std::string(198, 'x') + "\"");
  EXPECT_EQ(Found(std::string(1'000'000, 'x')), "\"" + std::string(199, 'x') + "…");
  EXPECT_EQ(Found(std::vector<int>(20)), Json(std::vector<int>(20)).dump());
  EXPECT_EQ(Found(std::vector<int>(21)), "an array of 21");
  Json object;
  for (int i = 0; i < 1000; ++i) object[std::to_string(i)] = i;
  EXPECT_EQ(Found(object), "an object of 1000");
  EXPECT_EQ(Found(Json::array({Json::array({std::string(1000, 'x')})})), "[[\"" + std::string(197, 'x') + "…");
}

TEST(JsonValue, IsPlainTextInMessages) {
  EXPECT_EQ(Found("a\"\\\n\x1B[31m\x7F"), R"("a\"\\\n\u001b[31m\u007f")");
  EXPECT_EQ(Found("é▁\U0001F600\xC2\x9B"), R"("\u00e9\u2581\ud83d\ude00\u009b")");
  for (const std::string bytes : {"\xFF", "\xC3", "\xC0\xAF", "\xED\xA0\x80"}) {
    EXPECT_TRUE(Found(bytes).starts_with("\"\\ufffd")) << Found(bytes);
  }
}

// Keys are text of the file, too.
TEST(JsonValue, HasAPlainNameInMessages) {
  const auto error = [](const std::string& key) {
    const Json file = {{key, 1}};
    return MessageOf({}, [&] { JsonValue(file, "f").Field(key).String(); });
  };
  EXPECT_EQ(error("a b"), "f: expected a b to be a string, found 1");
  EXPECT_EQ(error("\x1B[2Jé\xFF"), R"(f: expected \u001b[2J\u00e9\ufffd to be a string, found 1)");
  EXPECT_EQ(error(std::string(1'000'000, 'k')), "f: expected " + std::string(200, 'k') + "… to be a string, found 1");
}

}  // namespace
}  // namespace ampgrad::io
