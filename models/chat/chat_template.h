#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"

/// How a conversation becomes tokens. Chat templates are programs in the Jinja language; none is run here: the few that are
/// known are recognised by their text and rendered by hand-written code.
namespace ampgrad::models {

enum class Role { kSystem, kUser, kAssistant };

struct Message {
  Role role;
  std::string content;
};

/// kPlain and kAlpaca put texts one behind the other; what words stand around a prompt is the caller's affair.
enum class ChatFormat { kPlain, kAlpaca, kZephyr, kChatMl, kLlama3 };

/// "plain", "alpaca", "zephyr", "chatml", "llama3".
const char* ToString(ChatFormat format);
/// Throws std::invalid_argument for any other name.
ChatFormat ParseChatFormat(const std::string& name);

/// A format with its control tokens as ids of one tokenizer.
struct ChatTemplate {
  ChatFormat format = ChatFormat::kPlain;
  int end = 0;                           // ends an answer, and in chat formats every message
  int begin_text = 0;                    // Llama-3 alone writes it; elsewhere it is the tokenizer's prefix
  int begin_message = 0;                 // of ChatML
  int begin_header = 0, end_header = 0;  // of Llama-3
  std::string default_system;            // the system message of a conversation that has none; "" for none
  bool starts_anew_after_token = true;   // whether a text behind a token is tokenized as if it stood alone
};

/// A piece of a rendered conversation: a control token, or text, which never becomes one whatever it holds.
struct Segment {
  std::optional<int> token;
  std::string text;  // when there is no token
  bool is_target;    // whether it is learned
};

/// A rendered conversation as the model reads it.
struct Tokens {
  std::vector<int> ids;
  std::vector<bool> is_target;
};

/// The template of a model directory: chat_template.jinja, else chat_template in tokenizer_config.json, a string or a list
/// that holds one named "default". None when there is neither. Throws std::runtime_error when the template is none of those
/// known here, or its control tokens are no tokens of `tokenizer`.
std::optional<ChatTemplate> OwnTemplate(const std::filesystem::path& directory, const Tokenizer& tokenizer);

/// A template by its name. Throws std::runtime_error as OwnTemplate does.
ChatTemplate NamedTemplate(ChatFormat format, const std::filesystem::path& directory, const Tokenizer& tokenizer);

/// The token that ends a text: eos_token of tokenizer_config.json, else eos_token_id of config.json (the first of a list).
/// Throws std::runtime_error when neither names a token of `tokenizer`.
int EndOfText(const std::filesystem::path& directory, const Tokenizer& tokenizer);

/// A conversation in its template. Targets are the assistant's contents, each with the token that ends it. What a template
/// writes behind the last message is left out.
std::vector<Segment> Render(const ChatTemplate& chat, const std::vector<Message>& messages);

/// Tokenizes every segment apart, so that the border of an answer is a border of tokens and the ids of a prompt are a
/// prefix of the ids of prompt and answer. The tokenizer's own prefix (BOS) stands first, once, unless the template writes it. An
/// answer is tokenized as text that continues: a tokenizer of Llama's kind, which puts a space before every text, puts none
/// before it.
Tokens Encode(const ChatTemplate& chat, const Tokenizer& tokenizer, const std::vector<Segment>& segments);

}  // namespace ampgrad::models
