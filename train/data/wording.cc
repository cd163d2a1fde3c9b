#include "train/data/wording.h"

#include <optional>
#include <stdexcept>

namespace ampgrad::train {
namespace {

using models::ChatFormat;

bool HasRoles(ChatFormat format) { return format != ChatFormat::kPlain && format != ChatFormat::kAlpaca; }

}  // namespace

std::string AlpacaPrompt(const std::string& instruction, const std::string& input) {
  std::string text = "Below is an instruction that describes a task";
  if (!input.empty()) text += ", paired with an input that provides further context";
  text += ". Write a response that appropriately completes the request.\n\n### Instruction:\n" + instruction + "\n\n";
  if (!input.empty()) text += "### Input:\n" + input + "\n\n";
  return text + "### Response:";
}

std::string UserText(SampleKind kind, const Sample& sample, ChatFormat format) {
  const std::string& text = sample.messages[sample.messages.size() - 2].content;
  if (format == ChatFormat::kAlpaca) return AlpacaPrompt(text, sample.input);
  if (format != ChatFormat::kPlain) return sample.input.empty() ? text : text + "\n\n" + sample.input;
  if (kind == SampleKind::kQuestion) return "Question: " + text + "\nAnswer: ";
  if (kind == SampleKind::kInstruction) return text + "\n" + (sample.input.empty() ? "" : sample.input + "\n");
  return text;
}

std::vector<models::Message> Messages(SampleKind kind, const Sample& sample, ChatFormat format) {
  std::vector<models::Message> messages = sample.messages;
  if (kind == SampleKind::kMessages) return messages;
  if (!HasRoles(format) && messages.size() > (kind == SampleKind::kText ? 1 : 2)) {
    throw std::runtime_error(std::string("the template ") + models::ToString(format) +
                             " has no roles: a system prompt or a history needs --template zephyr, chatml or llama3");
  }
  if (kind != SampleKind::kText) messages[messages.size() - 2].content = UserText(kind, sample, format);
  return messages;
}

models::ChatTemplate ChooseTemplate(const std::string& name, SampleKind kind, const std::filesystem::path& model,
                                    const models::Tokenizer& tokenizer) {
  if (kind == SampleKind::kText) return models::NamedTemplate(ChatFormat::kPlain, model, tokenizer);
  if (name.empty() && kind == SampleKind::kMessages) {
    if (const auto own = models::OwnTemplate(model, tokenizer)) return *own;
    throw std::runtime_error(
        model.string() +
        ": expected chat_template.jinja, or a chat_template in tokenizer_config.json, found neither; "
        "messages need --template zephyr, chatml or llama3");
  }
  const ChatFormat own = kind == SampleKind::kInstruction ? ChatFormat::kAlpaca : ChatFormat::kPlain;
  const ChatFormat format = name.empty() ? own : models::ParseChatFormat(name);
  if (kind == SampleKind::kMessages && !HasRoles(format)) {
    throw std::runtime_error("the template " + name +
                             " has no roles: messages need --template zephyr, chatml or llama3");
  }
  return models::NamedTemplate(format, model, tokenizer);
}

}  // namespace ampgrad::train
