#include "train/data/conversation.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace ampgrad::train {
namespace {

using models::Role;

constexpr std::pair<std::string_view, Role> kRoles[] = {
    {"system", Role::kSystem},       {"user", Role::kUser},     {"human", Role::kUser},
    {"assistant", Role::kAssistant}, {"gpt", Role::kAssistant}, {"model", Role::kAssistant},
    {"chatgpt", Role::kAssistant},
};
constexpr std::string_view kToolRoles[] = {"tool",          "function",  "ipython",       "observation",
                                           "function_call", "tool_call", "tool_response", "function_response"};
constexpr std::string_view kToolParts[] = {"tool_use", "tool_result", "tool_call", "function_call"};

template <size_t N>
bool Contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// The value of the first of two keys or, where that is missing or null, of the second.
io::JsonValue Either(const io::JsonValue& object, const char* first, const char* second) {
  const io::JsonValue value = object.Field(first);
  return value.null() ? object.Field(second) : value;
}

std::string ReadRoleName(const io::JsonValue& message) {
  const io::JsonValue value = Either(message, "role", "from");
  if (value.null()) message.Fail("an object with a \"role\" or a \"from\"");
  std::string name = value.String();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

Role ParseRole(const io::JsonValue& message, const std::string& name) {
  for (const auto& [known, role] : kRoles) {
    if (name == known) return role;
  }
  Either(message, "role", "from").Fail("system, user or assistant");
}

bool CallsTools(const io::JsonValue& message, const std::string& role) {
  if (Contains(kToolRoles, role)) return true;
  if (!IsBlank(message.Field("tool_calls").json()) || !IsBlank(message.Field("function_call").json())) return true;
  const nlohmann::json& content = Either(message, "content", "value").json();
  return content.is_array() && std::any_of(content.begin(), content.end(), [](const nlohmann::json& part) {
           return part.is_object() && part.contains("type") && part["type"].is_string() &&
                  Contains(kToolParts, part["type"].get_ref<const std::string&>());
         });
}

// The text of a message, or none where it is null.
std::optional<std::string> ReadText(const io::JsonValue& message) {
  const io::JsonValue content = Either(message, "content", "value");
  if (content.null()) {
    if (message.json().contains("content") || message.json().contains("value")) return std::nullopt;
    message.Fail("an object with a \"content\" or a \"value\"");
  }
  if (!content.json().is_array()) return content.String();
  std::string text;
  for (const io::JsonValue& part : content.Items()) {
    if (part.Field("type").String() != "text") part.Field("type").Fail("text");
    text += part.Field("text").StringOr("");
  }
  return text;
}

// Whether a mark such as "train" leaves a message to be learned. `learned` is its value that does.
bool ReadMark(const io::JsonValue& message, const char* name, bool learned, Role role) {
  const io::JsonValue mark = message.Field(name);
  if (mark.null()) return true;
  const bool is_learned = mark.Boolean() == learned;
  if (role != Role::kAssistant && learned && is_learned) mark.Fail("false, as only answers are learned");
  return is_learned;
}

bool IsLearned(const io::JsonValue& message, Role role) {
  const io::JsonValue weight = message.Field("weight");
  if (!weight.null() && weight.json() != 0 && weight.json() != 1) weight.Fail("0 or 1");
  bool is_learned = weight.null() || weight.json() == 1;
  for (const char* name : {"train", "training", "loss"}) is_learned &= ReadMark(message, name, true, role);
  return is_learned & ReadMark(message, "masked", false, role);
}

}  // namespace

Conversation ReadConversation(const io::JsonValue& list) {
  Conversation conversation;
  for (const io::JsonValue& item : list.Items()) {
    const std::string name = ReadRoleName(item);
    if (CallsTools(item, name)) return {{}, true};
    const Role role = ParseRole(item, name);
    RequireBlank(item, {"reasoning_content", "reasoning", "thinking", "train_detail", "images", "audio"});
    std::optional<std::string> text = ReadText(item);
    const bool is_learned = IsLearned(item, role);
    if (role == Role::kAssistant) {
      models::Message answer = Answer(text.value_or(""));
      answer.is_learned &= is_learned;
      conversation.messages.push_back(std::move(answer));
    } else if (text || role == Role::kUser) {
      conversation.messages.push_back({role, text.value_or("")});
    }
  }
  return conversation;
}

models::Message Answer(std::string text) {
  const bool is_learned = text.find_first_not_of(" \t\r\n") != std::string::npos;
  return {Role::kAssistant, std::move(text), is_learned};
}

bool IsBlank(const nlohmann::json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().find_first_not_of(" []{}") == std::string::npos;
  return value.empty() || value == false;
}

void RequireBlank(const io::JsonValue& object, std::initializer_list<const char*> fields) {
  for (const char* name : fields) {
    const io::JsonValue field = object.Field(name);
    if (!IsBlank(field.json())) field.Fail("missing or empty, as it is not read here");
  }
}

}  // namespace ampgrad::train
