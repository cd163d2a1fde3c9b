#include "train/data/samples.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "tensor/io/json.h"
#include "tensor/io/text_file.h"

namespace ampgrad::train {
namespace {

using models::Role;

constexpr size_t kMaxLine = 16 << 20;

struct KindKeys {
  SampleKind kind;
  const char* first;   // the key that tells the kind
  const char* second;  // the key of what is learned; null where `first` holds everything
};

// A line with the keys of two kinds is of the first of them: some files of messages repeat the prompt under "prompt".
constexpr KindKeys kKinds[] = {
    {SampleKind::kMessages, "messages", nullptr},        {SampleKind::kMessages, "conversations", nullptr},
    {SampleKind::kInstruction, "instruction", "output"}, {SampleKind::kQuestion, "question", "answer"},
    {SampleKind::kPrompt, "prompt", "completion"},
};

// The kind of a line, told by its first key or, where that is missing, by its second. A key with the value null counts,
// too.
const KindKeys& FindKind(const io::JsonValue& line) {
  for (const KindKeys& keys : kKinds) {
    if (line.json().contains(keys.first)) return keys;
  }
  for (const KindKeys& keys : kKinds) {
    if (keys.second && line.json().contains(keys.second)) return keys;
  }
  if (line.json().contains("text")) {
    throw std::runtime_error(line.file() +
                             ": \"text\" holds no answer to learn; ampgrad pretrain learns from plain text");
  }
  line.Fail("the key messages, conversations, instruction, question or prompt", "none");
}

Role ReadRole(const io::JsonValue& value, bool sharegpt) {
  const std::string& text = value.String();
  if (text == "system") return Role::kSystem;
  if (text == (sharegpt ? "human" : "user")) return Role::kUser;
  if (text == (sharegpt ? "gpt" : "assistant")) return Role::kAssistant;
  value.Fail(sharegpt ? "system, human or gpt" : "system, user or assistant");
}

std::vector<models::Message> ReadMessages(const io::JsonValue& line, const std::string& key) {
  const bool sharegpt = key == "conversations";
  std::vector<models::Message> messages;
  for (const io::JsonValue& item : line.Field(key).Items()) {
    const Role role = ReadRole(item.Field(sharegpt ? "from" : "role"), sharegpt);
    const io::JsonValue content = item.Field(sharegpt ? "value" : "content");
    messages.push_back({role, role == Role::kSystem ? content.String() : content.NonEmptyString()});
  }
  if (messages.empty()) throw std::runtime_error(line.file() + ": the " + key + " are empty");
  const auto is_answer = [](const models::Message& message) { return message.role == Role::kAssistant; };
  if (std::none_of(messages.begin(), messages.end(), is_answer)) {
    throw std::runtime_error(line.file() + ": the " + key + " hold no answer of the assistant to learn");
  }
  return messages;
}

Sample ReadSample(const io::JsonValue& line, const KindKeys& keys) {
  if (keys.kind == SampleKind::kMessages) return {ReadMessages(line, keys.first), "", 0};
  const bool has_input = keys.kind == SampleKind::kInstruction && line.json().contains("input");
  std::string prompt = line.Field(keys.first).NonEmptyString();
  std::string answer = line.Field(keys.second).NonEmptyString();
  return MakeSample(std::move(prompt), std::move(answer), has_input ? line.Field("input").String() : "");
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
  const KindKeys* kind = nullptr;
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
    const nlohmann::json json = io::ParseJsonObject(line, where);
    const io::JsonValue value(json, where);
    const KindKeys& found = FindKind(value);
    if (kind && &found != kind) {
      value.Fail(std::string("the key \"") + kind->first + "\" as in the lines above",
                 std::string("\"") + found.first + "\"");
    }
    kind = &found;
    samples.all.push_back(ReadSample(value, found));
    samples.all.back().line = number;
  }
  if (!kind) throw std::runtime_error(path.string() + ": there is no sample in it");
  samples.kind = kind->kind;
  return samples;
}

}  // namespace ampgrad::train
