#include "train/data/samples.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "tensor/io/json.h"
#include "tensor/io/text_file.h"
#include "train/data/conversation.h"
#include "train/data/data_file.h"

namespace ampgrad::train {
namespace {

using models::Message;
using models::Role;

struct KindKeys {
  SampleKind kind;
  const char* first;   // the key that tells the kind
  const char* second;  // the key of what is learned; null where `first` holds everything
  const char* name;    // in messages
};

// A line with the keys of two kinds is of the first of them: some files of messages repeat the prompt under "prompt".
constexpr KindKeys kSampleKinds[] = {
    {SampleKind::kMessages, "messages", nullptr, "\"messages\""},
    {SampleKind::kMessages, "conversations", nullptr, "\"conversations\""},
    {SampleKind::kInstruction, "instruction", "output", "\"instruction\""},
    {SampleKind::kQuestion, "question", "answer", "\"question\""},
    {SampleKind::kPrompt, "prompt", "completion", "\"prompt\""},
};
constexpr KindKeys kText = {SampleKind::kText, "text", nullptr, "\"text\""};  // a line with other keys is of their kind
constexpr KindKeys kPromptOfMessages = {SampleKind::kMessages, "prompt", "completion", "\"prompt\" with messages"};

// The kind of a line, told by its first key or, where that is missing, by its second. Null when all of its keys are
// null, as tables write a sample without anything.
const KindKeys* FindKind(const io::JsonValue& line) {
  for (const KindKeys& keys : kSampleKinds) {
    if (line.Has(keys.first)) return &keys;
  }
  for (const KindKeys& keys : kSampleKinds) {
    if (keys.second && line.Has(keys.second)) return &keys;
  }
  if (line.Has(kText.first)) return &kText;
  if (line.json().contains(kText.first)) return nullptr;
  for (const KindKeys& keys : kSampleKinds) {
    if (line.json().contains(keys.first)) return nullptr;
  }
  line.Fail("the key messages, conversations, instruction, question, prompt or text", "none");
}

// The same, with prompts of messages told from those of plain text.
const KindKeys* FindSpelling(const io::JsonValue& line) {
  const KindKeys* keys = FindKind(line);
  if (!keys || keys->kind != SampleKind::kPrompt) return keys;
  const bool has_list = line.Field(keys->first).json().is_array() || line.Field(keys->second).json().is_array();
  return has_list ? &kPromptOfMessages : keys;
}

// The text under a key that must be there; null is no text.
std::string ReadText(const io::JsonValue& line, const char* key) {
  const io::JsonValue text = line.Field(key);
  return text.null() && line.json().contains(key) ? "" : text.String();
}

// Messages under "prompt" or "completion", either of which may be a plain string.
Conversation ReadPart(const io::JsonValue& line, const char* key, Role role) {
  if (line.Field(key).json().is_array()) return ReadConversation(line.Field(key));
  std::string text = ReadText(line, key);
  if (role == Role::kAssistant) return {{Answer(std::move(text))}};
  return {{{role, std::move(text)}}};
}

Conversation ReadPromptOfMessages(const io::JsonValue& line, const KindKeys& keys) {
  Conversation all = ReadPart(line, keys.first, Role::kUser);
  Conversation completion = ReadPart(line, keys.second, Role::kAssistant);
  for (Message& message : all.messages) message.is_learned = false;
  std::move(completion.messages.begin(), completion.messages.end(), std::back_inserter(all.messages));
  return {std::move(all.messages), all.calls_tools || completion.calls_tools};
}

// The turns of "history", the prompt and the answer.
Conversation ReadTurns(const io::JsonValue& line, const KindKeys& keys) {
  Conversation turns;
  const io::JsonValue history = line.Field("history");
  for (size_t i = 0; !IsBlank(history.json()) && i < history.json().size(); ++i) {
    const io::JsonValue turn = history.Item(i);
    if (!turn.json().is_array() || turn.json().size() != 2) turn.Fail("a pair [question, answer]");
    turns.messages.push_back({Role::kUser, turn.Item(0).StringOr("")});
    turns.messages.push_back(Answer(turn.Item(1).StringOr("")));
  }
  turns.messages.push_back({Role::kUser, ReadText(line, keys.first)});
  turns.messages.push_back(Answer(ReadText(line, keys.second)));
  return turns;
}

// Fields that would change what is to be learned, and cannot be honoured.
void RefuseUnread(const io::JsonValue& line, SampleKind kind) {
  RequireBlank(line, {"tools", "functions", "documents", "chat_template_kwargs", "image", "images", "video", "videos",
                      "audio", "audios"});
  if (kind == SampleKind::kMessages || kind == SampleKind::kText) RequireBlank(line, {"history"});
  if (kind == SampleKind::kText) RequireBlank(line, {"system", "system_prompt"});
  if (kind == SampleKind::kQuestion || kind == SampleKind::kPrompt) RequireBlank(line, {"input"});
  if (kind != SampleKind::kMessages && kind != SampleKind::kText) {
    RequireBlank(line, {"context", "choices", "options"});
  }
  const io::JsonValue weight = line.Field("weight");
  if (weight.json().is_number() && weight.json() != 1) weight.Fail("1, as all samples weigh the same");
  for (const char* name : {"train", "kto_tag", "label"}) {
    if (line.Field(name).json() == false) line.Field(name).Fail("missing or true, as every sample is learned");
  }
}

// Puts the system prompt of the line's own column before its messages.
void AddSystem(const io::JsonValue& line, std::vector<Message>& messages) {
  const io::JsonValue column = line.Field(IsBlank(line.Field("system").json()) ? "system_prompt" : "system");
  const std::string text = column.StringOr("");
  if (text.empty()) return;
  if (messages.empty() || messages.front().role != Role::kSystem) {
    messages.insert(messages.begin(), {Role::kSystem, text});
  } else if (messages.front().content != text) {
    column.Fail("the same as the system message beside it");
  }
}

// None when the line calls tools.
std::optional<Sample> ReadSample(const io::JsonValue& line, const KindKeys& keys) {
  Conversation read;
  if (&keys == &kPromptOfMessages) {
    read = ReadPromptOfMessages(line, keys);
  } else if (keys.kind == SampleKind::kText) {
    read.messages = {Answer(ReadText(line, keys.first))};
  } else if (keys.kind != SampleKind::kMessages) {
    read = ReadTurns(line, keys);
  } else if (line.Has(keys.first)) {
    read = ReadConversation(line.Field(keys.first));
  }
  if (read.calls_tools) return std::nullopt;
  RefuseUnread(line, keys.kind);
  AddSystem(line, read.messages);
  const bool is_instruction = keys.kind == SampleKind::kInstruction;
  return Sample{std::move(read.messages), is_instruction ? line.Field("input").StringOr("") : "", 0};
}

}  // namespace

Sample MakeSample(std::string prompt, std::string answer, std::string input) {
  return {{{Role::kUser, std::move(prompt)}, Answer(std::move(answer))}, std::move(input), 0};
}

bool HasAnswer(const Sample& sample) {
  return std::any_of(sample.messages.begin(), sample.messages.end(),
                     [](const Message& message) { return message.role == Role::kAssistant && message.is_learned; });
}

Samples ReadSamples(const std::filesystem::path& path) {
  const std::string text = io::ReadTextFile(path);
  DataFile file(text, path.string());
  Samples samples;
  const KindKeys* kind = nullptr;
  while (const std::optional<DataFile::Value> value = file.Next()) {
    const std::string where = path.string() + ":" + std::to_string(value->line);
    const nlohmann::json json = io::ParseJsonObject(value->text, where);
    const io::JsonValue line(json, where);
    const KindKeys* found = FindSpelling(line);
    if (kind && found && found != kind) {
      line.Fail(std::string("the key ") + kind->name + " as in the lines above", found->name);
    }
    if (found) kind = found;
    std::optional<Sample> sample = found ? ReadSample(line, *found) : Sample();
    if (!sample) {
      ++samples.tool_calls;
      continue;
    }
    sample->line = value->line;
    samples.all.push_back(std::move(*sample));
  }
  if (!kind) throw std::runtime_error(path.string() + ": there is no sample in it");
  samples.kind = kind->kind;
  return samples;
}

}  // namespace ampgrad::train
