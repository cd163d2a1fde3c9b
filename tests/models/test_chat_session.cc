#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/chat_session.h"
#include "tests/support/chat_files.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::models {
namespace {

constexpr Index kContext = 200;

/// A model that reads bytes and the special tokens of all templates, with random weights.
class ChatSessions : public testing::Test {
 protected:
  void SetUp() override {
    PutChatModel(dir_.path());
    Put(dir_.path() / "config.json", R"({"eos_token_id": 256, "bos_token_id": 263})");
  }

  Tokenizer tokenizer() const { return Tokenizer::FromFile(dir_.path() / "tokenizer.json"); }
  ChatTemplate Template(ChatFormat format) const { return NamedTemplate(format, dir_.path(), tokenizer()); }
  static std::vector<std::unique_ptr<LanguageModel>> Models() {
    GptConfig gpt = TinyConfig();
    LlamaConfig llama = LittleLlamaConfig();
    gpt.vocab_size = llama.vocab_size = 264;
    gpt.n_positions = llama.max_position_embeddings = kContext;
    std::vector<std::unique_ptr<LanguageModel>> models;
    models.push_back(std::make_unique<Gpt>(gpt));
    models.push_back(std::make_unique<Llama>(llama));
    for (const auto& model : models) Randomise(*model, 5);
    return models;
  }
  /// Answers of `tokens` letters: another byte may not come back as it was when the text is encoded again.
  static GenerateOptions Letters(Index tokens) {
    GenerateOptions options;
    options.max_tokens = tokens;
    for (int id = 0; id < 264; ++id) {
      if (id < 'a' || id > 'z') options.never.push_back(id);
    }
    return options;
  }
  /// The answer to a conversation that is read anew.
  std::string Anew(LanguageModel& model, ChatFormat format, const std::vector<Message>& messages,
                   GenerateOptions options) const {
    const ChatTemplate chat = Template(format);
    options.end_tokens.push_back(chat.end);
    const std::vector<int> prompt = Encode(chat, tokenizer(), RenderPrompt(chat, messages)).ids;
    return tokenizer().Decode(Generate(model, prompt, options), true);
  }

  static bool GoOn(int) { return true; }
  TempDir dir_;
};

// What is cached changes nothing, in any template, and is read once.
TEST_F(ChatSessions, AnswersAreThoseOfTheWholeConversationReadAnew) {
  for (const auto& model : Models()) {
    for (const ChatFormat format :
         {ChatFormat::kZephyr, ChatFormat::kChatMl, ChatFormat::kLlama2, ChatFormat::kLlama3}) {
      SCOPED_TRACE(ToString(format));
      ChatSession session(*model, tokenizer(), Template(format), "be brief", Letters(6), kContext);
      std::vector<Message> messages = {{Role::kSystem, "be brief"}};
      for (const std::string text : {"Hi", "Why?", "So."}) {
        messages.push_back({Role::kUser, text});
        const std::string expected = Anew(*model, format, messages, Letters(6));
        const ChatSession::Turn turn = session.Say(text, GoOn);
        EXPECT_EQ(turn.answer, expected);
        EXPECT_EQ(turn.answer.size(), 6u);
        EXPECT_EQ(turn.dropped, 0);
        EXPECT_FALSE(turn.is_full);
        // Of later turns, no more than what follows the last answer's last letter but one: ends, headers, the text.
        EXPECT_TRUE(messages.size() <= 2 || turn.read <= 40) << turn.read;
        messages.push_back({Role::kAssistant, turn.answer});
      }
    }
  }
}

// An answer whose bytes are no text comes back as other ids, which are then read.
TEST_F(ChatSessions, WhatComesBackOtherwiseIsReadAgain) {
  for (const auto& model : Models()) {
    GenerateOptions options;
    options.max_tokens = 6;
    ChatSession session(*model, tokenizer(), Template(ChatFormat::kZephyr), "", options, kContext);
    std::vector<Message> messages;
    for (const std::string text : {"Hi", "Why?", "So."}) {
      messages.push_back({Role::kUser, text});
      const std::string expected = Anew(*model, ChatFormat::kZephyr, messages, options);
      EXPECT_EQ(session.Say(text, GoOn).answer, expected);
      messages.push_back({Role::kAssistant, expected});
    }
  }
}

TEST_F(ChatSessions, TheOldestTurnsGoWhenTheContextIsFull) {
  const auto model = std::move(Models().front());
  const Index context = 120;  // a turn of zephyr's takes 9 + text + 1 + 1 + 14, and 10 + 2 for the answer and its end
  ChatSession session(*model, tokenizer(), Template(ChatFormat::kZephyr), "s", Letters(10), context);
  const std::vector<Message> system = {{Role::kSystem, "s"}};
  std::vector<Message> messages = system;
  Index dropped = 0;
  for (int i = 0; i < 9; ++i) {
    const std::string text = "turn " + std::to_string(i);
    const ChatSession::Turn turn = session.Say(text, GoOn);
    messages.push_back({Role::kUser, text});
    messages.erase(messages.begin() + 1, messages.begin() + 1 + 2 * turn.dropped);
    EXPECT_EQ(turn.answer, Anew(*model, ChatFormat::kZephyr, messages, Letters(10))) << i;
    messages.push_back({Role::kAssistant, turn.answer});
    dropped += turn.dropped;
  }
  EXPECT_EQ(dropped, 7);  // two turns fit
}

TEST_F(ChatSessions, AnAnswerEndsWithTheContext) {
  const auto model = std::move(Models().front());
  ChatSession session(*model, tokenizer(), Template(ChatFormat::kZephyr), "", Letters(1000), 60);
  const ChatSession::Turn turn = session.Say("Hi", GoOn);
  EXPECT_TRUE(turn.is_full);
  EXPECT_EQ(turn.read, 27);
  EXPECT_EQ(turn.answer.size(), 60u - 27 + 1);  // the last one is not read
}

TEST_F(ChatSessions, AMessageThatFillsTheContextIsRefusedAndForgotten) {
  const auto model = std::move(Models().front());
  ChatSession session(*model, tokenizer(), Template(ChatFormat::kZephyr), "", Letters(4), 60),
      other(*model, tokenizer(), Template(ChatFormat::kZephyr), "", Letters(4), 60);
  session.Say("Hi", GoOn);
  other.Say("Hi", GoOn);
  ExpectMessage<std::runtime_error>(
      [&] { session.Say(std::string(40, 'x'), GoOn); },
      "expected a message that leaves room for an answer in the context of 60 tokens, found one of 65 with all that "
      "goes with it");
  EXPECT_EQ(session.Say("Why?", GoOn).answer, other.Say("Why?", GoOn).answer);
}

TEST_F(ChatSessions, StopsWhenToldAndKeepsWhatWasSaid) {
  const auto model = std::move(Models().front());
  ChatSession session(*model, tokenizer(), Template(ChatFormat::kZephyr), "", Letters(9), kContext);
  int count = 0;
  const ChatSession::Turn turn = session.Say("Hi", [&](int) { return ++count < 3; });
  EXPECT_EQ(turn.answer.size(), 3u);
  const std::vector<Message> messages = {{Role::kUser, "Hi"}, {Role::kAssistant, turn.answer}, {Role::kUser, "So?"}};
  EXPECT_EQ(session.Say("So?", GoOn).answer, Anew(*model, ChatFormat::kZephyr, messages, Letters(9)));
}

TEST_F(ChatSessions, AResetBeginsAnewWithTheSameDraws) {
  const auto model = std::move(Models().front());
  GenerateOptions options = Letters(20);
  options.sampling.temperature = 1;
  options.seed = 3;
  ChatSession session(*model, tokenizer(), Template(ChatFormat::kZephyr), "s", options, kContext);
  const std::string first = session.Say("Hi", GoOn).answer, second = session.Say("Hi", GoOn).answer;
  EXPECT_NE(first, second);
  session.Reset();
  EXPECT_EQ(session.Say("Hi", GoOn).answer, first);
  EXPECT_EQ(session.Say("Hi", GoOn).answer, second);
}

}  // namespace
}  // namespace ampgrad::models
