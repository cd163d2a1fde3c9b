#include <gtest/gtest.h>

#include <string>

#include "tests/support/chat_files.h"
#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"
#include "train/data/wording.h"

namespace ampgrad::train {
namespace {

TEST(Wording, AlpacaPromptsAreStanfords) {
  EXPECT_EQ(AlpacaPrompt("Sing.", ""),
            "Below is an instruction that describes a task. Write a response that appropriately completes the request."
            "\n\n### Instruction:\nSing.\n\n### Response:");
  EXPECT_EQ(
      AlpacaPrompt("Add.", "2 and 2"),
      "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
      "response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n2 and 2\n\n"
      "### Response:");
}

TEST(Wording, UserTextSuitsTheFormat) {
  using models::ChatFormat;
  const Sample sample = MakeSample("Add.", "4", "2 and 2"), bare = MakeSample("Sing.", "La.");
  EXPECT_EQ(UserText(SampleKind::kInstruction, sample, ChatFormat::kAlpaca), AlpacaPrompt("Add.", "2 and 2"));
  EXPECT_EQ(UserText(SampleKind::kInstruction, sample, ChatFormat::kZephyr), "Add.\n\n2 and 2");
  EXPECT_EQ(UserText(SampleKind::kInstruction, bare, ChatFormat::kZephyr), "Sing.");
  EXPECT_EQ(UserText(SampleKind::kInstruction, sample, ChatFormat::kPlain), "Add.\n2 and 2\n");
  EXPECT_EQ(UserText(SampleKind::kInstruction, bare, ChatFormat::kPlain), "Sing.\n");
  EXPECT_EQ(UserText(SampleKind::kQuestion, bare, ChatFormat::kPlain), "Question: Sing.\nAnswer: ");
  EXPECT_EQ(UserText(SampleKind::kQuestion, bare, ChatFormat::kChatMl), "Sing.");
  EXPECT_EQ(UserText(SampleKind::kPrompt, bare, ChatFormat::kPlain), "Sing.");
  EXPECT_EQ(UserText(SampleKind::kPrompt, bare, ChatFormat::kAlpaca), AlpacaPrompt("Sing.", ""));
}

TEST(Wording, ChoosesTheTemplateThatSuits) {
  using models::ChatFormat;
  const TempDir dir;
  PutChatModel(dir.path());
  const auto tokenizer = models::Tokenizer::FromFile(dir.path() / "tokenizer.json");
  const auto format = [&](const std::string& name, SampleKind kind) {
    return ChooseTemplate(name, kind, dir.path(), tokenizer).format;
  };
  EXPECT_EQ(format("", SampleKind::kPrompt), ChatFormat::kPlain);
  EXPECT_EQ(format("", SampleKind::kQuestion), ChatFormat::kPlain);
  EXPECT_EQ(format("", SampleKind::kInstruction), ChatFormat::kAlpaca);
  EXPECT_EQ(format("llama3", SampleKind::kPrompt), ChatFormat::kLlama3);
  EXPECT_EQ(format("zephyr", SampleKind::kMessages), ChatFormat::kZephyr);
  Put(dir.path() / "chat_template.jinja", kChatMlJinja);
  EXPECT_EQ(format("", SampleKind::kMessages), ChatFormat::kChatMl);
  EXPECT_EQ(format("", SampleKind::kInstruction), ChatFormat::kAlpaca);
  EXPECT_EQ(format("zephyr", SampleKind::kMessages), ChatFormat::kZephyr);
  EXPECT_EQ(format("", SampleKind::kText), ChatFormat::kPlain);
  EXPECT_EQ(format("zephyr", SampleKind::kText), ChatFormat::kPlain);  // text stands as it is
}

TEST(Wording, ASystemPromptNeedsRoles) {
  using models::Role;
  const Sample sample{{{Role::kSystem, "s"}, {Role::kUser, "u"}, {Role::kAssistant, "a"}}, "", 0};
  ExpectMessage<std::runtime_error>(
      [&] { Messages(SampleKind::kPrompt, sample, models::ChatFormat::kPlain); },
      "the template plain has no roles: a system prompt or a history needs --template zephyr, chatml or llama3");
  EXPECT_EQ(Messages(SampleKind::kPrompt, sample, models::ChatFormat::kZephyr).size(), 3u);
}

}  // namespace
}  // namespace ampgrad::train
