#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "models/chat/chat_template.h"
#include "models/chat/configured_tokens.h"
#include "tests/support/chat_files.h"
#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"

/// Which template a model has, and how the template renders a conversation.
namespace ampgrad::models {
namespace {

using Json = nlohmann::json;

constexpr int kEnd = 256;  // "</s>" of PutChatModel

/// A model directory with the byte tokenizer of PutChatModel.
class ChatModel {
 public:
  explicit ChatModel(const std::string& prefix = "") { PutChatModel(path(), prefix); }
  std::filesystem::path path() const { return dir_.path(); }
  Tokenizer tokenizer() const { return Tokenizer::FromFile(path() / "tokenizer.json"); }
  void PutConfig(const Json& config) const { Put(path() / "tokenizer_config.json", config.dump()); }
  void PutJinja(const std::string& text) const { Put(path() / "chat_template.jinja", text); }

  std::optional<ChatTemplate> Own() const { return OwnTemplate(path(), tokenizer()); }
  std::string OwnMessage() const {
    return MessageOf(path(), [&] { Own(); });
  }
  ChatTemplate Named(ChatFormat format) const { return NamedTemplate(format, path(), tokenizer()); }

  /// A conversation as text, with the targets in brackets.
  std::string Show(const ChatTemplate& chat, const std::vector<Message>& messages) const {
    std::string text;
    bool inside = false;
    for (const Segment& segment : Render(chat, messages)) {
      if (segment.is_target != inside) text += segment.is_target ? "[" : "]";
      inside = segment.is_target;
      text += segment.token ? tokenizer().Decode({*segment.token}) : segment.text;
    }
    return text + (inside ? "]" : "");
  }

 private:
  TempDir dir_;
};

const std::vector<Message> kConversation = {{Role::kSystem, "Be kind."},
                                            {Role::kUser, "Hi"},
                                            {Role::kAssistant, "Hello"},
                                            {Role::kUser, "Who?"},
                                            {Role::kAssistant, "Me"}};

struct Published {
  std::string jinja;
  ChatFormat format;
  std::string default_system;
};

std::vector<Published> PublishedTemplates() {
  return {{kZephyrJinja, ChatFormat::kZephyr, ""},
          {kChatMlJinja, ChatFormat::kChatMl, ""},
          {kChatMlDefinedJinja, ChatFormat::kChatMl, ""},
          {kQwen2Jinja, ChatFormat::kChatMl, "You are a helpful assistant."},
          {kSmolLm2Jinja, ChatFormat::kChatMl, "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
          {kLlama2Jinja, ChatFormat::kLlama2, ""},
          {kLlama3Jinja, ChatFormat::kLlama3, ""},
          {kLlama3FirstJinja, ChatFormat::kLlama3, ""}};
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

TEST(ChatTemplate, RecognisesPublishedOnesInEitherFile) {
  for (const Published& published : PublishedTemplates()) {
    SCOPED_TRACE(published.jinja);
    const ChatModel in_config, in_file;
    in_config.PutConfig({{"chat_template", published.jinja}, {"eos_token", "</s>"}, {"bos_token", "<s>"}});
    in_file.PutConfig({{"bos_token", "<s>"}});
    in_file.PutJinja(published.jinja);
    for (const ChatModel* model : {&in_config, &in_file}) {
      const std::optional<ChatTemplate> own = model->Own();
      ASSERT_TRUE(own);
      EXPECT_EQ(own->format, published.format);
      EXPECT_EQ(own->default_system, published.default_system);
    }
  }
}

TEST(ChatTemplate, RecognisesOtherSpellingsOfTheSameProgram) {
  const ChatModel model;
  model.PutJinja(kZephyrJinja + "\n");
  EXPECT_EQ(model.Own()->format, ChatFormat::kZephyr);
  model.PutJinja(Replaced(kZephyrJinja, "\n", "\r\n") + "\r\n");
  EXPECT_EQ(model.Own()->format, ChatFormat::kZephyr);
  model.PutJinja(Replaced(kChatMlJinja, "\n", "\\n"));  // the escape sequence, in a string of the program
  EXPECT_EQ(model.Own()->format, ChatFormat::kChatMl);
}

TEST(ChatTemplate, TakesTheDefaultOfAList) {
  const ChatModel model;
  const Json other = {{"name", "tool_use"}, {"template", kChatMlJinja}};
  model.PutConfig({{"chat_template", {other, {{"name", "default"}, {"template", kZephyrJinja}}}}});
  EXPECT_EQ(model.Own()->format, ChatFormat::kZephyr);
  model.PutConfig({{"chat_template", {other}}});
  EXPECT_EQ(model.OwnMessage(),
            "D/tokenizer_config.json: expected a template named \"default\" in chat_template, found none");
  model.PutConfig({{"chat_template", 3}});
  EXPECT_EQ(model.OwnMessage(), "D/tokenizer_config.json: expected chat_template to be a string or an array, found 3");
}

TEST(ChatTemplate, AFileOfItsOwnGoesFirst) {
  const ChatModel model;
  model.PutConfig({{"chat_template", kChatMlJinja}});
  model.PutJinja(kZephyrJinja);
  EXPECT_EQ(model.Own()->format, ChatFormat::kZephyr);
}

TEST(ChatTemplate, NoneIsNoError) {
  const ChatModel model;
  EXPECT_FALSE(model.Own());
  model.PutConfig({{"eos_token", "</s>"}, {"chat_template", nullptr}});
  EXPECT_FALSE(model.Own());
}

TEST(ChatTemplate, RefusesAnUnknownOne) {
  const std::string expected =
      ": expected the chat template of Zephyr, ChatML, Llama-2 or Llama-3, found an unknown one; name the one to use "
      "with "
      "--template zephyr, chatml, llama2 or llama3";
  const ChatModel model;
  // The last one differs only in line breaks, which are part of the rendered text between {{ }} and {% %}.
  for (const std::string& jinja : {std::string("{{ messages }}"), kChatMlJinja + " ", kChatMlJinja + "\n\n",
                                   Replaced(kZephyrJinja, "user", "human"), Replaced(kZephyrJinja, "}\n{", "}{")}) {
    model.PutJinja(jinja);
    EXPECT_EQ(model.OwnMessage(), "D/chat_template.jinja" + expected) << jinja;
    std::filesystem::remove(model.path() / "chat_template.jinja");
    model.PutConfig({{"chat_template", jinja}});
    EXPECT_EQ(model.OwnMessage(), "D/tokenizer_config.json" + expected) << jinja;
  }
}

TEST(ChatTemplate, RefusesATokenizerWithoutItsControlTokens) {
  const ChatModel model;
  Put(model.path() / "tokenizer.json", ByteTokenizerJson({"<|im_start|>", "<|eot_id|>"}).dump());
  const auto message = [&](ChatFormat format) { return MessageOf(model.path(), [&] { model.Named(format); }); };
  EXPECT_EQ(message(ChatFormat::kChatMl),
            "D/tokenizer.json: expected the token <|im_end|> of the template chatml, found no such token");
  EXPECT_EQ(message(ChatFormat::kLlama3),
            "D/tokenizer.json: expected the token <|begin_of_text|> of the template llama3, found no such token");
}

TEST(ChatTemplate, NamesGoBothWays) {
  for (const char* name : {"plain", "alpaca", "zephyr", "chatml", "llama2", "llama3"}) {
    EXPECT_STREQ(ToString(ParseChatFormat(name)), name);
  }
  EXPECT_THROW(ParseChatFormat("vicuna"), std::invalid_argument);
}

TEST(EndOfText, ComesFromTheTokenizersConfigOrTheModels) {
  const ChatModel model;
  const auto end = [&] { return EndOfText(model.path(), model.tokenizer()); };
  const auto message = [&] { return MessageOf(model.path(), end); };
  const auto put = [&](const std::string& config) { Put(model.path() / "config.json", config); };
  EXPECT_EQ(end(), 256);
  put(R"({"eos_token_id": [257, 258]})");
  EXPECT_EQ(end(), 257);
  put("{}");
  EXPECT_EQ(message(), "D/config.json: expected eos_token_id, which ends every answer, found none");
  put(R"({"eos_token_id": null})");
  EXPECT_EQ(message(), "D/config.json: expected eos_token_id, which ends every answer, found none");
  put(R"({"eos_token_id": 50256})");
  EXPECT_EQ(message(), "D/config.json: expected eos_token_id to be an integer in 0..263, found 50256");
  put(R"({"eos_token_id": "</s>"})");
  EXPECT_EQ(message(), "D/config.json: expected eos_token_id to be an integer in 0..263, found \"</s>\"");

  model.PutConfig({{"eos_token", "<|im_end|>"}});
  EXPECT_EQ(end(), 258);
  model.PutConfig({{"eos_token", {{"content", "<|eot_id|>"}, {"lstrip", false}}}});
  EXPECT_EQ(end(), 262);
  model.PutConfig({{"eos_token", "<end>"}});
  EXPECT_EQ(message(), "D/tokenizer_config.json: expected eos_token to be a token of tokenizer.json, found \"<end>\"");
}

TEST(Render, Zephyr) {
  const ChatModel model;
  EXPECT_EQ(model.Show(model.Named(ChatFormat::kZephyr), kConversation),
            "<|system|>\nBe kind.</s>\n<|user|>\nHi</s>\n<|assistant|>\n[Hello</s>]\n<|user|>\nWho?</s>\n"
            "<|assistant|>\n[Me</s>]");
}

// As Llama-2-7b-chat-hf's template renders it: the system message within the first of the user.
TEST(Render, Llama2) {
  const ChatModel model;
  model.PutConfig({{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  const ChatTemplate chat = model.Named(ChatFormat::kLlama2);
  EXPECT_EQ(model.Show(chat, kConversation),
            "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST][ Hello </s>]<s>[INST] Who? [/INST][ Me </s>]");
  EXPECT_EQ(model.Show(chat, {{Role::kUser, " a\n"}, {Role::kAssistant, "b "}}), "<s>[INST] a [/INST][ b </s>]");
  ExpectMessage<std::runtime_error>(
      [&] {
        Render(chat, {{Role::kUser, "a"}, {Role::kUser, "b"}});
      },
      "expected messages of user and assistant in turns, as in Llama-2's template, found "
      "one of user for that of assistant");
  EXPECT_EQ(MessageOf(model.path(),
                      [&] {
                        model.PutConfig({{"eos_token", "</s>"}});
                        model.Named(ChatFormat::kLlama2);
                      }),
            "D/config.json: expected bos_token_id, which begins every message of the user, found none");
}

// A saved template must be one that the next run recognises.
TEST(ChatTemplate, RecognisesTheTextsThatItWrites) {
  const ChatModel model;
  model.PutConfig({{"bos_token", "<s>"}});
  for (const ChatFormat format : {ChatFormat::kZephyr, ChatFormat::kChatMl, ChatFormat::kLlama2, ChatFormat::kLlama3}) {
    model.PutJinja(JinjaText(format));
    EXPECT_EQ(model.Own()->format, format) << ToString(format);
  }
  EXPECT_EQ(JinjaText(ChatFormat::kPlain) + JinjaText(ChatFormat::kAlpaca), "");
}

TEST(Render, ChatMl) {
  const ChatModel model;
  const ChatTemplate chat = model.Named(ChatFormat::kChatMl);
  EXPECT_EQ(model.Show(chat, kConversation),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
            "[Hello<|im_end|>]\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n[Me<|im_end|>]");
}

TEST(Render, ChatMlWithASystemMessageOfItsOwn) {
  const ChatModel model;
  model.PutJinja(kQwen2Jinja);
  const ChatTemplate chat = *model.Own();
  EXPECT_EQ(model.Show(chat, {{Role::kUser, "Hi"}, {Role::kAssistant, "Ho"}}),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\n[Ho<|im_end|>]");
  EXPECT_EQ(model.Show(chat, kConversation), model.Show(model.Named(ChatFormat::kChatMl), kConversation));
}

TEST(Render, Llama3TrimsContents) {
  const ChatModel model;
  EXPECT_EQ(model.Show(model.Named(ChatFormat::kLlama3),
                       {{Role::kUser, " \n Hi \xC2\xA0"}, {Role::kAssistant, "\xE3\x80\x80Hello you\t"}}),
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n[Hello you<|eot_id|>]");
}

TEST(Render, PlainPutsTextsTogether) {
  const ChatModel model;
  for (const ChatFormat format : {ChatFormat::kPlain, ChatFormat::kAlpaca}) {
    EXPECT_EQ(model.Show(model.Named(format), {{Role::kUser, "2 + 2 = "}, {Role::kAssistant, "4"}}), "2 + 2 = [4</s>]");
  }
}

TEST(Render, LeavesOutWhatNobodyLearnsFrom) {
  const ChatModel model;
  EXPECT_EQ(model.Show(model.Named(ChatFormat::kZephyr), {{Role::kAssistant, "Hello"}, {Role::kUser, "Bye"}}),
            "<|assistant|>\n[Hello</s>]");
}

TEST(Encode, TargetsAreTheAnswersAndTheirEnds) {
  const ChatModel model;
  const ChatTemplate chat = model.Named(ChatFormat::kZephyr);
  const Tokens tokens =
      Encode(chat, model.tokenizer(),
             Render(chat, {{Role::kUser, "u"}, {Role::kAssistant, "ab"}, {Role::kUser, "v"}, {Role::kAssistant, "c"}}));
  ASSERT_EQ(tokens.is_target.size(), tokens.ids.size());
  std::vector<int> learned;
  for (size_t n = 0; n < tokens.ids.size(); ++n) {
    if (tokens.is_target[n]) learned.push_back(tokens.ids[n]);
  }
  EXPECT_EQ(learned, (std::vector<int>{'a', 'b', kEnd, 'c', kEnd}));
}

TEST(Encode, TheBeginningOfTheTextStandsOnce) {
  const std::vector<Message> messages = {{Role::kUser, "Hi"}, {Role::kAssistant, "Ho"}};
  for (const auto& [prefix, format] :
       std::vector<std::pair<std::string, ChatFormat>>{{"<s>", ChatFormat::kZephyr},
                                                       {"<s>", ChatFormat::kPlain},
                                                       {"<s>", ChatFormat::kChatMl},
                                                       {"<|begin_of_text|>", ChatFormat::kLlama3},
                                                       {"", ChatFormat::kLlama3},
                                                       {"", ChatFormat::kZephyr}}) {
    SCOPED_TRACE(prefix + " " + ToString(format));
    const ChatModel model(prefix);
    const ChatTemplate chat = model.Named(format);
    const std::vector<int> ids = Encode(chat, model.tokenizer(), Render(chat, messages)).ids;
    const std::string begin = format == ChatFormat::kLlama3 ? "<|begin_of_text|>" : "<s>";
    const int id = *model.tokenizer().Id(begin);
    const bool written = format == ChatFormat::kLlama3 || !prefix.empty();
    EXPECT_EQ(ids.front() == id, written);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), id), written ? 1 : 0);
  }
}

TEST(Encode, TextNeverBecomesAControlToken) {
  const ChatModel model("<s>");
  std::string all;
  for (const std::string& token : kControlTokens) all += token;
  for (const ChatFormat format : {ChatFormat::kPlain, ChatFormat::kZephyr, ChatFormat::kChatMl, ChatFormat::kLlama3}) {
    SCOPED_TRACE(ToString(format));
    const ChatTemplate chat = model.Named(format);
    const auto controls = [&](const std::string& question, const std::string& answer) {
      const std::vector<Message> messages = {
          {Role::kSystem, question}, {Role::kUser, question}, {Role::kAssistant, answer}};
      const std::vector<int> ids = Encode(chat, model.tokenizer(), Render(chat, messages)).ids;
      return std::count_if(ids.begin(), ids.end(), [](int id) { return id >= 256; });
    };
    EXPECT_EQ(controls("Hi" + all + "!", "Ho" + all + "!"), controls("Hi", "Ho"));
    EXPECT_EQ(controls(all, all), controls("Hi", "Ho"));
  }
}

}  // namespace
}  // namespace ampgrad::models
