#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"

/// How a conversation becomes tokens. Chat templates are programs in the Jinja language. None is run here: a few known
/// templates are recognised by their text and rendered by hand-written code.
namespace ampgrad::models {

enum class Role { kSystem, kUser, kAssistant };

struct Message {
  Role role;
  std::string content;
  bool is_learned = true;  // of an answer; one that is not learned is context
};

/// kPlain and kAlpaca join the texts and add nothing. The caller writes any words around a prompt.
enum class ChatFormat { kPlain, kAlpaca, kZephyr, kChatMl, kLlama2, kLlama3 };

/// "plain", "alpaca", "zephyr", "chatml", "llama2", "llama3".
const char* ToString(ChatFormat format);
/// Throws std::invalid_argument for any other name.
ChatFormat ParseChatFormat(const std::string& name);

/// A format with its special tokens as ids of one tokenizer.
struct ChatTemplate {
  ChatFormat format = ChatFormat::kPlain;
  int end = 0;                           // ends every answer and, in chat formats, every message
  int begin_text = 0;                    // only Llama-2 and -3 write it; other formats use the tokenizer's prefix
  int begin_message = 0;                 // ChatML only
  int begin_header = 0, end_header = 0;  // Llama-3 only
  std::string default_system;            // added to a conversation without a system message; "": none is added
  bool starts_anew_after_token = true;   // whether text after a special token is tokenized as if alone
};

/// A piece of a rendered conversation: a special token, or text. Text never becomes a special token, whatever it holds.
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

/// The chat template of a model directory: chat_template.jinja, else chat_template in tokenizer_config.json, which is a
/// string or a list with an item named "default". None when there is neither. Throws std::runtime_error when the
/// template is not known here, or when `tokenizer` lacks one of its special tokens.
std::optional<ChatTemplate> OwnTemplate(const std::filesystem::path& directory, const Tokenizer& tokenizer);

/// Its Jinja text, known or not. None when there is none.
std::optional<std::string> OwnTemplateText(const std::filesystem::path& directory);

/// A template by its name. Throws std::runtime_error as OwnTemplate does.
ChatTemplate NamedTemplate(ChatFormat format, const std::filesystem::path& directory, const Tokenizer& tokenizer);

/// The Jinja text of a format as it was published, for Hugging Face's library; "" for those that have no roles.
std::string JinjaText(ChatFormat format);

/// Renders a conversation in its template. Targets are the assistant's contents, each with the token that ends it,
/// except for those that are not to be learned. Everything after the last target is left out.
std::vector<Segment> Render(const ChatTemplate& chat, const std::vector<Message>& messages);

/// Renders a conversation up to where the assistant's next answer begins.
std::vector<Segment> RenderPrompt(const ChatTemplate& chat, std::vector<Message> messages);

/// Tokenizes each segment separately, so that an answer starts and ends between two tokens, and the ids of a prompt are
/// a prefix of the ids of prompt and answer. The tokenizer's own prefix (BOS) comes first, once, unless the template
/// writes it. An answer is tokenized as the continuation of a text: a tokenizer like Llama's, which puts a space before
/// every text, puts none before an answer.
Tokens Encode(const ChatTemplate& chat, const Tokenizer& tokenizer, const std::vector<Segment>& segments);

}  // namespace ampgrad::models
