#include "models/chat/chat_template.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "models/chat/configured_tokens.h"
#include "models/gguf/gguf_path.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/text_file.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormatNames[] = {"plain", "alpaca", "zephyr", "chatml", "llama2", "llama3"};

// A published template, known by the FNV-1a hash of its canonical text.
struct KnownTemplate {
  uint64_t fingerprint;
  ChatFormat format;
  const char* default_system;
};

constexpr KnownTemplate kKnownTemplates[] = {
    {0xCD8B49000DB02C2C, ChatFormat::kZephyr, ""},  // zephyr-7b-beta, TinyLlama-1.1B-Chat-v1.0
    {0x88BF4138D5C826F0, ChatFormat::kChatMl, ""},
    {0x773D13E188AFC917, ChatFormat::kChatMl, ""},  // sets a default for the generation prompt
    {0x8A87094E0E1E24C5, ChatFormat::kChatMl, "You are a helpful assistant."},  // Qwen2
    {0x45EC583D4D25BC3A, ChatFormat::kChatMl,
     "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},  // SmolLM2
    {0x4D1512049817743D, ChatFormat::kLlama2, ""},                             // Llama-2-7b-chat-hf
    {0x0E60067A5537498E, ChatFormat::kLlama3, ""},                             // Meta-Llama-3-8B-Instruct
    {0x74891E390E614AE2, ChatFormat::kLlama3, ""},  // as first published, with the header of an answer at the end
};

uint64_t Fingerprint(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

// Maps the spellings of one program to one text, as Jinja reads them: CRLF is a line break, a line break at the very
// end is dropped, and \n inside quotes is a line break.
std::string Canonical(std::string_view text) {
  std::string canonical;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view pair = text.substr(i, 2);
    if (text[i] == '\'') quoted = !quoted;
    if (pair == "\r\n") continue;
    if (quoted && pair == "\\n") {
      canonical.push_back('\n');
      ++i;
    } else {
      canonical.push_back(text[i]);
    }
  }
  if (canonical.ends_with('\n')) canonical.pop_back();
  return canonical;
}

struct TemplateText {
  std::string file, text;
};

std::string DefaultTemplate(const io::JsonValue& named) {
  for (const io::JsonValue& item : named.Items()) {
    if (item.json().is_object() && item.Field("name").json() == "default") return item.Field("template").StringOr("");
  }
  named.Fail("a template named \"default\" in chat_template", "none");
}

std::optional<TemplateText> FindTemplateText(const fs::path& directory) {
  constexpr uint64_t kLimit = 1 << 20;
  if (!GgufOf(directory)) {
    const fs::path own = io::OwnFile(directory, "chat_template.jinja");
    if (io::IsThere(own)) return TemplateText{own.string(), io::ReadTextFile(own, kLimit)};
  }
  const ModelText config = TokenizerConfig(directory);
  const io::JsonValue text = config.value().Field("chat_template");
  if (text.null()) return std::nullopt;
  if (text.json().is_array()) return TemplateText{text.file(), DefaultTemplate(text)};
  if (text.json().is_string()) return TemplateText{text.file(), text.String()};
  text.Fail("a string or an array");
}

bool StartsWith(const std::vector<int>& ids, const std::vector<int>& prefix) {
  return ids.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), ids.begin());
}

// Whether text after a special token is tokenized as a text of its own. Older tokenizers of Llama put a space before
// every such piece, later ones only before the first.
bool StartsAnewAfter(int token, const Tokenizer& tokenizer) {
  std::vector<int> apart = {token};
  for (const int id : tokenizer.Encode("a")) apart.push_back(id);
  const std::vector<int> whole = tokenizer.Encode(tokenizer.Decode({token}) + "a", false, Tokenizer::Markup::kTokens);
  return whole == apart || !StartsWith(whole, {token});
}

// The ids of a text that follows other text. A tokenizer that puts a space before a text puts it before the line break.
// A tokenizer that merges the line break with what follows puts no space, so it can encode the text alone.
std::vector<int> EncodeContinued(const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<int> border = tokenizer.Encode("\n"), ids = tokenizer.Encode("\n" + text);
  if (!StartsWith(ids, border)) return tokenizer.Encode(text);
  return {ids.begin() + static_cast<std::ptrdiff_t>(border.size()), ids.end()};
}

// `text` without the whitespace at both ends, as Python's strip defines it.
std::string Trim(std::string_view text) {
  static constexpr std::string_view kSpaces[] = {
      "\t",           "\n",           "\v",           "\f",           "\r",           " ",
      "\x1C",         "\x1D",         "\x1E",         "\x1F",         "\xC2\x85",     "\xC2\xA0",
      "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84",
      "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A",
      "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view space : kSpaces) {
      if (text.starts_with(space)) {
        text.remove_prefix(space.size());
        again = true;
      } else if (text.ends_with(space)) {
        text.remove_suffix(space.size());
        again = true;
      }
    }
  }
  return std::string(text);
}

// Whether a template has the token that begins a text.
bool WritesBegin(ChatFormat format) { return format == ChatFormat::kLlama2 || format == ChatFormat::kLlama3; }

const char* RoleName(Role role) {
  return role == Role::kSystem ? "system" : role == Role::kUser ? "user" : "assistant";
}

// The segments of a conversation as they grow. Neighbouring texts become one, as they are tokenized together.
class Rendering {
 public:
  void Token(int id, bool is_target = false) { segments_.push_back({id, "", is_target}); }
  void Text(const std::string& text) {
    if (segments_.empty() || segments_.back().token || segments_.back().is_target) {
      segments_.push_back({std::nullopt, "", false});
    }
    segments_.back().text += text;
  }
  // The content of a message, and the token that ends it. An answer is tokenized alone, be it learned or not.
  void Content(const Message& message, const std::string& content, int end) {
    const bool is_answer = message.role == Role::kAssistant, is_target = is_answer && message.is_learned;
    if (is_answer) {
      segments_.push_back({std::nullopt, content, is_target});
    } else {
      Text(content);
    }
    Token(end, is_target);
  }
  // The segments up to the last target.
  std::vector<Segment> Take() {
    while (!segments_.empty() && !segments_.back().is_target) segments_.pop_back();
    return std::move(segments_);
  }

 private:
  std::vector<Segment> segments_;
};

void RenderPlain(const ChatTemplate& chat, const std::vector<Message>& messages, Rendering& out) {
  for (const Message& message : messages) {
    if (message.role == Role::kAssistant) {
      out.Content(message, message.content, chat.end);
    } else {
      out.Text(message.content);
    }
  }
}

void RenderZephyr(const ChatTemplate& chat, const std::vector<Message>& messages, Rendering& out) {
  for (const Message& message : messages) {
    out.Text(std::string("<|") + RoleName(message.role) + "|>\n");
    out.Content(message, message.content, chat.end);
    out.Text("\n");
  }
}

void RenderChatMl(const ChatTemplate& chat, std::vector<Message> messages, Rendering& out) {
  if (!chat.default_system.empty() && messages.front().role != Role::kSystem) {
    messages.insert(messages.begin(), {Role::kSystem, chat.default_system});
  }
  for (const Message& message : messages) {
    out.Token(chat.begin_message);
    out.Text(std::string(RoleName(message.role)) + "\n");
    out.Content(message, message.content, chat.end);
    out.Text("\n");
  }
}

// Llama-2 puts the system message into that of the user and has a beginning of text before each of the user's.
void RenderLlama2(const ChatTemplate& chat, std::vector<Message> messages, Rendering& out) {
  std::string system;
  if (messages.front().role == Role::kSystem) {
    system = "<<SYS>>\n" + messages.front().content + "\n<</SYS>>\n\n";
    messages.erase(messages.begin());
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const Role expected = i % 2 == 0 ? Role::kUser : Role::kAssistant;
    if (messages[i].role != expected) {
      throw std::runtime_error(
          std::string("expected messages of user and assistant in turns, as in Llama-2's template, ") +
          "found one of " + RoleName(messages[i].role) + " for that of " + RoleName(expected));
    }
    const std::string content = Trim(i == 0 ? system + messages[i].content : messages[i].content);
    if (expected == Role::kUser) {
      out.Token(chat.begin_text);
      out.Text("[INST] " + content + " [/INST]");
    } else {
      out.Content(messages[i], " " + content + " ", chat.end);
    }
  }
}

void RenderLlama3(const ChatTemplate& chat, const std::vector<Message>& messages, Rendering& out) {
  out.Token(chat.begin_text);
  for (const Message& message : messages) {
    out.Token(chat.begin_header);
    out.Text(RoleName(message.role));
    out.Token(chat.end_header);
    out.Text("\n\n");
    out.Content(message, Trim(message.content), chat.end);
  }
}

}  // namespace

const char* ToString(ChatFormat format) { return kFormatNames[static_cast<int>(format)]; }

ChatFormat ParseChatFormat(const std::string& name) {
  for (int i = 0; i < static_cast<int>(std::size(kFormatNames)); ++i) {
    if (name == kFormatNames[i]) return static_cast<ChatFormat>(i);
  }
  throw std::invalid_argument("[chat template] expected plain, alpaca, zephyr, chatml, llama2 or llama3, found '" +
                              name + "'");
}

ChatTemplate NamedTemplate(ChatFormat format, const fs::path& directory, const Tokenizer& tokenizer) {
  const auto id = [&](const char* token) {
    if (const std::optional<int> found = tokenizer.Id(token)) return *found;
    throw std::runtime_error((directory / "tokenizer.json").string() + ": expected the token " + token +
                             " of the template " + ToString(format) + ", found no such token");
  };
  ChatTemplate chat;
  chat.format = format;
  if (format == ChatFormat::kChatMl) {
    chat.begin_message = id("<|im_start|>");
    chat.end = id("<|im_end|>");
  } else if (format == ChatFormat::kLlama3) {
    chat.begin_text = id("<|begin_of_text|>");
    chat.begin_header = id("<|start_header_id|>");
    chat.end_header = id("<|end_header_id|>");
    chat.end = id("<|eot_id|>");
  } else {
    chat.end = EndOfText(directory, tokenizer);
    if (format == ChatFormat::kLlama2) chat.begin_text = BeginOfText(directory, tokenizer);
  }
  chat.starts_anew_after_token = StartsAnewAfter(chat.end, tokenizer);
  return chat;
}

std::optional<ChatTemplate> OwnTemplate(const fs::path& directory, const Tokenizer& tokenizer) {
  const std::optional<TemplateText> own = FindTemplateText(directory);
  if (!own) return std::nullopt;
  const uint64_t fingerprint = Fingerprint(Canonical(own->text));
  for (const KnownTemplate& known : kKnownTemplates) {
    if (known.fingerprint != fingerprint) continue;
    ChatTemplate chat = NamedTemplate(known.format, directory, tokenizer);
    chat.default_system = known.default_system;
    return chat;
  }
  throw std::runtime_error(
      own->file + ": expected the chat template of Zephyr, ChatML, Llama-2 or Llama-3, found an unknown one; " +
      "name the one to use with --template zephyr, chatml, llama2 or llama3");
}

std::optional<std::string> OwnTemplateText(const fs::path& directory) {
  const std::optional<TemplateText> own = FindTemplateText(directory);
  return own ? std::optional(own->text) : std::nullopt;
}

std::vector<Segment> Render(const ChatTemplate& chat, const std::vector<Message>& messages) {
  Rendering out;
  switch (chat.format) {
    case ChatFormat::kPlain:
    case ChatFormat::kAlpaca:
      RenderPlain(chat, messages, out);
      break;
    case ChatFormat::kZephyr:
      RenderZephyr(chat, messages, out);
      break;
    case ChatFormat::kChatMl:
      RenderChatMl(chat, messages, out);
      break;
    case ChatFormat::kLlama2:
      RenderLlama2(chat, messages, out);
      break;
    case ChatFormat::kLlama3:
      RenderLlama3(chat, messages, out);
      break;
  }
  return out.Take();
}

std::vector<Segment> RenderPrompt(const ChatTemplate& chat, std::vector<Message> messages) {
  messages.push_back({Role::kAssistant, ""});
  std::vector<Segment> segments = Render(chat, messages);
  segments.erase(segments.end() - 2, segments.end());  // the empty answer and its end
  return segments;
}

Tokens Encode(const ChatTemplate& chat, const Tokenizer& tokenizer, const std::vector<Segment>& segments) {
  Tokens tokens;
  const auto append = [&](const std::vector<int>& ids, bool is_target) {
    tokens.ids.insert(tokens.ids.end(), ids.begin(), ids.end());
    tokens.is_target.resize(tokens.ids.size(), is_target);
  };
  if (!WritesBegin(chat.format)) append(tokenizer.prefix(), false);
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    if (segment.token) {
      tokenizer.RequireRow(*segment.token);
      append({*segment.token}, segment.is_target);
      continue;
    }
    const bool starts_anew = i == 0 || (segments[i - 1].token && chat.starts_anew_after_token);
    append(starts_anew ? tokenizer.Encode(segment.text) : EncodeContinued(tokenizer, segment.text), segment.is_target);
  }
  return tokens;
}

}  // namespace ampgrad::models
