#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "train/data/conversation.h"

namespace ampgrad::train {
namespace {

using models::Role;

Conversation ReadList(const std::string& list) {
  const nlohmann::json json = {{"messages", nlohmann::json::parse(list)}};
  return ReadConversation(io::JsonValue(json, "data.jsonl:7").Field("messages"));
}

/// A conversation in one line: "system: …", "user: …", "assistant: …" (an answer that is not learned in brackets).
std::string Shown(const std::string& list) {
  const Conversation conversation = ReadList(list);
  if (conversation.calls_tools) return "calls tools";
  std::string text;
  for (const models::Message& message : conversation.messages) {
    const char* role = message.role == Role::kSystem ? "system" : message.role == Role::kUser ? "user" : "assistant";
    text += text.empty() ? "" : ", ";
    text += std::string(role) + ": " + (message.is_learned ? message.content : "(" + message.content + ")");
  }
  return text;
}

/// What the user sees, without the place.
std::string ListRefusal(const std::string& list) {
  try {
    ReadList(list);
  } catch (const std::runtime_error& error) {
    const std::string message = error.what(), place = "data.jsonl:7: ";
    EXPECT_EQ(message.rfind(place, 0), 0u) << message;
    return message.substr(std::min(place.size(), message.size()));
  }
  return "accepted";
}

std::string WithAnswer(const std::string& mark) {
  return R"([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", )" + mark + "}]";
}

TEST(Conversation, EverySpellingIsTheSame) {
  const std::string expected = "system: s, user: hey, assistant: yo";
  for (const char* list : {
           R"([{"role":"system","content":"s"},{"role":"user","content":"hey"},{"role":"assistant","content":"yo"}])",
           R"([{"from":"system","value":"s"},{"from":"human","value":"hey"},{"from":"gpt","value":"yo"}])",
           R"([{"from":"system","value":"s"},{"from":"user","value":"hey"},{"from":"assistant","value":"yo"}])",
           R"([{"role":"system","value":"s"},{"from":"human","content":"hey"},{"role":"model","content":"yo"}])",
           R"([{"from":"System","value":"s"},{"from":"User","value":"hey"},{"from":"Assistant","value":"yo"}])",
           R"([{"from":"system","value":"s"},{"from":"human","value":"hey"},{"from":"chatgpt","value":"yo"}])",
           R"([{"role":null,"from":"system","content":null,"value":"s"},{"role":"user","content":"hey"},
               {"role":"assistant","content":"yo","name":"A","tool_calls":null,"function_call":null}])",
           R"([{"role":"system","content":[{"type":"text","text":"s"}]},
               {"role":"user","content":[{"type":"text","text":"h"},{"type":"text","text":"ey","image_url":null}]},
               {"role":"assistant","content":[{"type":"text","text":"yo"}]}])",
       }) {
    EXPECT_EQ(Shown(list), expected) << list;
  }
}

TEST(Conversation, WeightsAndMarksChooseWhatIsLearned) {
  for (const char* mark : {R"("weight": 1)", R"("weight": 1.0)", R"("weight": null)", R"("train": true)",
                           R"("training": true)", R"("loss": true)", R"("masked": false)", R"("train": null)"}) {
    EXPECT_EQ(Shown(WithAnswer(mark)), "user: q, assistant: a") << mark;
  }
  for (const char* mark : {R"("weight": 0)", R"("weight": 0.0)", R"("train": false)", R"("training": false)",
                           R"("loss": false)", R"("masked": true)", R"("weight": 1, "train": false)"}) {
    EXPECT_EQ(Shown(WithAnswer(mark)), "user: q, assistant: (a)") << mark;
  }
}

TEST(Conversation, RefusesOtherWeightsAndMarks) {
  const auto expected = [](const std::string& what) { return "expected messages[1]." + what; };
  EXPECT_EQ(ListRefusal(WithAnswer(R"("weight": 0.5)")), expected("weight to be 0 or 1, found 0.5"));
  EXPECT_EQ(ListRefusal(WithAnswer(R"("weight": 2)")), expected("weight to be 0 or 1, found 2"));
  EXPECT_EQ(ListRefusal(WithAnswer(R"("weight": -1)")), expected("weight to be 0 or 1, found -1"));
  EXPECT_EQ(ListRefusal(WithAnswer(R"("weight": "1")")), expected("weight to be 0 or 1, found \"1\""));
  EXPECT_EQ(ListRefusal(WithAnswer(R"("weight": true)")), expected("weight to be 0 or 1, found true"));
  EXPECT_EQ(ListRefusal(WithAnswer(R"("train": 0)")), expected("train to be true or false, found 0"));
  EXPECT_EQ(ListRefusal(WithAnswer(R"("masked": "no")")), expected("masked to be true or false, found \"no\""));
}

// A question may carry the marks that leave it what it is: context.
TEST(Conversation, OnlyAnswersAreLearned) {
  const auto question = [](const std::string& mark) { return R"([{"role": "user", "content": "q", )" + mark + "}]"; };
  for (const char* mark : {R"("train": false)", R"("weight": 0)", R"("weight": 1)", R"("masked": true)"}) {
    EXPECT_EQ(Shown(question(mark)), "user: q") << mark;
  }
  EXPECT_EQ(ListRefusal(question(R"("train": true)")),
            "expected messages[0].train to be false, as only answers are learned, found true");
  EXPECT_EQ(ListRefusal(question(R"("weight": 0.5)")), "expected messages[0].weight to be 0 or 1, found 0.5");
}

TEST(Conversation, NullIsNoText) {
  EXPECT_EQ(Shown(R"([{"role":"system","content":null},{"role":"user","content":"q"},
                      {"role":"assistant","content":"a"}])"),
            "user: q, assistant: a");
  EXPECT_EQ(Shown(R"([{"role":"user","content":null},{"from":"gpt","value":"a"}])"), "user: , assistant: a");
  EXPECT_EQ(Shown(R"([{"role":"user","content":"q"},{"from":"gpt","value":null}])"), "user: q, assistant: ()");
  EXPECT_EQ(Shown(R"([{"role":"user","content":[{"type":"text","text":null}]}])"), "user: ");
}

TEST(Conversation, AnEmptyAnswerIsNotLearned) {
  for (const char* text : {R"("")", R"(" \n\t")", "[]", R"([{"type":"text","text":""}])"}) {
    EXPECT_EQ(ReadList(R"([{"role":"assistant","content":)" + std::string(text) + "}]").messages.at(0).is_learned,
              false)
        << text;
  }
  EXPECT_EQ(Shown(R"([{"role":"assistant","content":""},{"role":"user","content":""},
                      {"role":"assistant","content":"a"}])"),
            "assistant: (), user: , assistant: a");
}

TEST(Conversation, NoticesThatToolsAreCalled) {
  for (const char* message : {
           R"({"role":"assistant","content":null,"tool_calls":[{"function":{"name":"w"}}]})",
           R"({"role":"assistant","tool_calls":[{"function":{"name":"w"}}]})",
           R"({"role":"assistant","content":"Wait.","function_call":{"name":"w"}})",
           R"({"role":"tool","content":"sun"})",
           R"({"role":"tool","content":null})",
           R"({"role":"function","name":"w","content":"sun"})",
           R"({"role":"ipython","content":{"temperature":20}})",
           R"({"from":"observation","value":"sun"})",
           R"({"from":"function_call","value":"{}"})",
           R"({"role":"assistant","content":[{"type":"tool_use","name":"w"}]})",
       }) {
    EXPECT_EQ(Shown(R"([{"role":"user","content":"q"},)" + std::string(message) + "]"), "calls tools") << message;
  }
  EXPECT_EQ(Shown(WithAnswer(R"("tool_calls": [])")), "user: q, assistant: a");
}

TEST(Conversation, RefusesWhatItCannotRead) {
  const auto expected = [](const std::string& what) { return "expected messages[0]" + what; };
  EXPECT_EQ(ListRefusal(R"(["Hi"])"), expected(" to be an object, found \"Hi\""));
  EXPECT_EQ(ListRefusal(R"([{"content":"c"}])"),
            expected(" to be an object with a \"role\" or a \"from\", found {\"content\":\"c\"}"));
  EXPECT_EQ(ListRefusal(R"([{"role":"user"}])"),
            expected(" to be an object with a \"content\" or a \"value\", found {\"role\":\"user\"}"));
  EXPECT_EQ(ListRefusal(R"([{"role":"narrator","content":"c"}])"),
            expected(".role to be system, user or assistant, found \"narrator\""));
  EXPECT_EQ(ListRefusal(R"([{"role":7,"content":"c"}])"), expected(".role to be a string, found 7"));
  EXPECT_EQ(ListRefusal(R"([{"role":"user","content":7}])"), expected(".content to be a string, found 7"));
  EXPECT_EQ(ListRefusal(R"([{"role":"user","content":["hey"]}])"),
            expected(".content[0] to be an object, found \"hey\""));
  EXPECT_EQ(ListRefusal(R"([{"role":"user","content":[{"type":"image_url","image_url":{}}]}])"),
            expected(".content[0].type to be text, found \"image_url\""));
  EXPECT_EQ(ListRefusal(R"([{"from":"human","value":[{"type":"text","text":3}]}])"),
            expected(".value[0].text to be a string, found 3"));
}

TEST(Conversation, RefusesFieldsThatMayNotBeLost) {
  EXPECT_EQ(ListRefusal(WithAnswer(R"("reasoning_content": "Hm.")")),
            "expected messages[1].reasoning_content to be missing or empty, as it is not read here, found \"Hm.\"");
  EXPECT_EQ(ListRefusal(WithAnswer(R"("images": ["a.png"])")),
            "expected messages[1].images to be missing or empty, as it is not read here, found [\"a.png\"]");
  EXPECT_EQ(Shown(WithAnswer(R"("reasoning_content": null, "images": [], "thinking": "")")), "user: q, assistant: a");
}

}  // namespace
}  // namespace ampgrad::train
