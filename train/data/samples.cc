#include "train/data/samples.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "tensor/io/json_file.h"

namespace ampgrad::train {
namespace {

using models::Role;
using Json = nlohmann::json;

constexpr size_t kMaxLine = 16 << 20;

struct ShapeKeys {
  Shape shape;
  const char* first;   // the key that tells the shape
  const char* second;  // the key of what is learned; null where `first` holds everything
};

// A line with the keys of two shapes is of the first: there are files of messages that repeat their prompt under "prompt".
constexpr ShapeKeys kShapes[] = {
    {Shape::kMessages, "messages", nullptr},        {Shape::kMessages, "conversations", nullptr},
    {Shape::kInstruction, "instruction", "output"}, {Shape::kQuestion, "question", "answer"},
    {Shape::kPrompt, "prompt", "completion"},
};

// The shape of a line, told by its first key or, where that is missing, by its second.
const ShapeKeys& FindShape(const Json& line, const std::string& where) {
  for (const ShapeKeys& keys : kShapes) {
    if (line.contains(keys.first)) return keys;
  }
  for (const ShapeKeys& keys : kShapes) {
    if (keys.second && line.contains(keys.second)) return keys;
  }
  if (line.contains("text")) {
    throw std::runtime_error(where + ": \"text\" holds no answer to learn; ampgrad pretrain learns from plain text");
  }
  throw std::runtime_error(where +
                           ": expected the key messages, conversations, instruction, question or prompt, found none");
}

// The string under `key`; `name` is the key as messages show it.
std::string Field(const Json& object, const char* key, const std::string& name, const std::string& where) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) {
    throw std::runtime_error(where + ": expected a string under \"" + name + "\", found " +
                             (it == object.end() ? "no such key" : it->type_name()));
  }
  return it->get<std::string>();
}

std::string NonEmptyField(const Json& object, const char* key, const std::string& name, const std::string& where) {
  const std::string text = Field(object, key, name, where);
  if (text.empty()) throw std::runtime_error(where + ": the " + name + " is empty");
  return text;
}

Role ParseRole(const std::string& text, bool sharegpt, const std::string& name, const std::string& where) {
  if (text == "system") return Role::kSystem;
  if (text == (sharegpt ? "human" : "user")) return Role::kUser;
  if (text == (sharegpt ? "gpt" : "assistant")) return Role::kAssistant;
  constexpr size_t kShown = 40;
  const std::string found = text.size() <= kShown ? "\"" + text + "\"" : std::to_string(text.size()) + " bytes";
  throw std::runtime_error(where + ": expected " + name + " to be " +
                           (sharegpt ? "system, human or gpt" : "system, user or assistant") + ", found " + found);
}

std::vector<models::Message> ReadMessages(const Json& line, const std::string& key, const std::string& where) {
  const Json& list = line.at(key);
  if (!list.is_array()) {
    throw std::runtime_error(where + ": expected an array under \"" + key + "\", found " + list.type_name());
  }
  if (list.empty()) throw std::runtime_error(where + ": the " + key + " are empty");
  const bool sharegpt = key == "conversations";
  const char* role_key = sharegpt ? "from" : "role";
  const char* content_key = sharegpt ? "value" : "content";
  std::vector<models::Message> messages;
  for (const Json& item : list) {
    const std::string name = key + "[" + std::to_string(messages.size()) + "]";
    if (!item.is_object()) {
      throw std::runtime_error(where + ": expected an object at " + name + ", found " + item.type_name());
    }
    const std::string role_name = name + "." + role_key, content_name = name + "." + content_key;
    const Role role = ParseRole(Field(item, role_key, role_name, where), sharegpt, role_name, where);
    const bool may_be_empty = role == Role::kSystem;
    messages.push_back({role, may_be_empty ? Field(item, content_key, content_name, where)
                                           : NonEmptyField(item, content_key, content_name, where)});
  }
  const auto is_answer = [](const models::Message& message) { return message.role == Role::kAssistant; };
  if (std::none_of(messages.begin(), messages.end(), is_answer)) {
    throw std::runtime_error(where + ": the " + key + " hold no answer of the assistant to learn");
  }
  return messages;
}

Sample ReadSample(const Json& line, const ShapeKeys& keys, const std::string& where) {
  if (keys.shape == Shape::kMessages) return {ReadMessages(line, keys.first, where), "", 0};
  const bool has_input = keys.shape == Shape::kInstruction && line.contains("input");
  std::string first = NonEmptyField(line, keys.first, keys.first, where);
  std::string second = NonEmptyField(line, keys.second, keys.second, where);
  return MakeSample(first, second, has_input ? Field(line, "input", "input", where) : "");
}

}  // namespace

Sample MakeSample(std::string prompt, std::string answer, std::string input) {
  return {{{Role::kUser, std::move(prompt)}, {Role::kAssistant, std::move(answer)}}, std::move(input), 0};
}

Samples ReadSamples(const std::filesystem::path& path) {
  const std::string text = io::ReadTextFile(path);
  std::string_view rest = text;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);

  Samples samples;
  const ShapeKeys* shape = nullptr;
  for (Index number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    if (line.size() > kMaxLine) {
      throw std::runtime_error(where + ": expected a line of at most " + std::to_string(kMaxLine) + " bytes, found " +
                               std::to_string(line.size()));
    }
    const Json json = io::ParseJson(line, where);
    if (!json.is_object()) throw std::runtime_error(where + ": expected a JSON object, found " + json.type_name());
    const ShapeKeys& found = FindShape(json, where);
    if (shape && &found != shape) {
      throw std::runtime_error(where + ": expected the key \"" + shape->first + "\" as in the lines above, found \"" +
                               found.first + "\"");
    }
    shape = &found;
    samples.all.push_back(ReadSample(json, found, where));
    samples.all.back().line = number;
  }
  if (!shape) throw std::runtime_error(path.string() + ": there is no sample in it");
  samples.shape = shape->shape;
  return samples;
}

}  // namespace ampgrad::train
