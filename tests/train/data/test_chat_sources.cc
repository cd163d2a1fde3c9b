#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/support/chat_files.h"
#include "tests/support/temp_dir.h"
#include "train/data/chat_data.h"

/// Data of several files, of files that are held out, and packed data.
namespace ampgrad::train {
namespace {

class ChatSources : public testing::Test {
 protected:
  void SetUp() override { PutChatModel(dir_.path()); }

  /// A file of samples "NAME0", "NAME1", …, as completions of "p".
  std::string PutPairs(const std::string& name, int count) const {
    std::string text;
    for (int i = 0; i < count; ++i) text += R"({"prompt":"p","completion":")" + name + std::to_string(i) + "\"}\n";
    return PutFile(name, text);
  }
  std::string PutFile(const std::string& name, const std::string& text) const {
    Put(dir_.path() / name, text);
    return (dir_.path() / name).string();
  }
  ChatSource Source(const std::vector<std::filesystem::path>& files) const {
    return {files, dir_.path(), "", 16, 2, 1};
  }
  ChatData Read(const ChatSource& source) const {
    return ReadChatData(source, models::Tokenizer::FromFile(dir_.path() / "tokenizer.json"));
  }
  std::string Refusal(const ChatSource& source) const {
    return MessageOf(dir_.path(), [&] { Read(source); });
  }

  /// What is learned in the sequences of a batch: bytes without the end.
  static std::vector<std::string> Learned(const Batch& batch) {
    std::vector<std::string> all;
    for (Index s = 0; s < batch.sequences(); ++s) {
      std::string text;
      for (Index n = batch.Begin(s); n < batch.Begin(s + 1); ++n) {
        if (batch.targets[n] >= 0 && batch.targets[n] < 256) text.push_back(static_cast<char>(batch.targets[n]));
      }
      all.push_back(text);
    }
    return all;
  }
  static std::vector<std::string> Learned(const std::vector<Batch>& batches) {
    std::vector<std::string> all;
    for (const Batch& batch : batches) {
      for (const std::string& text : Learned(batch)) all.push_back(text);
    }
    return all;
  }
  /// What is learned in steps 0 to `steps`.
  static std::multiset<std::string> LearnedIn(const ChatData& data, Index steps) {
    std::multiset<std::string> all;
    for (Index step = 0; step < steps; ++step) {
      for (const std::string& text : Learned(data.data.train(step))) all.insert(text);
    }
    return all;
  }

  TempDir dir_;
};

TEST_F(ChatSources, SeveralFilesAreOneListInTheirOrder) {
  const std::string a = PutPairs("a", 30), b = PutPairs("b", 20);
  const ChatData two = Read(Source({a, b}));
  EXPECT_EQ(Describe(two),
            "40 samples to train on, 5 for choosing rates, 5 held out; 0 cut at the sequence length, 0 skipped, as no "
            "answer was left");
  const std::string joined = PutFile("joined", Get(a) + Get(b));
  const ChatData one = Read(Source({joined})), other = Read(Source({b, a}));
  EXPECT_EQ(Learned(two.data.held_out), Learned(one.data.held_out));
  EXPECT_NE(Learned(two.data.held_out), Learned(other.data.held_out));
  for (Index step = 0; step < 50; ++step) EXPECT_EQ(two.data.train(step).inputs, one.data.train(step).inputs);
  const std::multiset<std::string> learned = LearnedIn(two, 20);
  const bool mixed = std::any_of(learned.begin(), learned.end(), [](const auto& text) { return text[0] == 'b'; });
  EXPECT_TRUE(mixed && learned.size() == 40);
}

TEST_F(ChatSources, AHeldOutFileIsAllThatIsHeldOut) {
  ChatSource source = Source({PutPairs("a", 6)});
  source.held_out = PutPairs("v", 5);
  const ChatData data = Read(source);
  EXPECT_EQ(Describe(data),
            "6 samples to train on, 5 held out; 0 cut at the sequence length, 0 skipped, as no answer was left");
  EXPECT_EQ(Learned(data.data.held_out), (std::vector<std::string>{"v0", "v1", "v2", "v3", "v4"}));
  EXPECT_EQ(data.data.held_out.size(), 3u);
  EXPECT_TRUE(data.data.validation.empty());
  EXPECT_EQ(LearnedIn(data, 3), (std::multiset<std::string>{"a0", "a1", "a2", "a3", "a4", "a5"}));
  EXPECT_EQ(data.data.samples, 6);
  source.held_out = PutFile("empty", R"({"prompt":"p","completion":""})");
  EXPECT_EQ(Refusal(source), "D/empty: expected at least 1 sample with an answer within 16 tokens, found 0");
  source.held_out = PutFile("broken", "{");
  EXPECT_EQ(Refusal(source).rfind("D/broken:1: ", 0), 0u) << Refusal(source);
}

TEST_F(ChatSources, FilesShareATemplate) {
  const std::string pairs = PutPairs("a", 6);
  std::string instructions;
  for (int i = 0; i < 6; ++i)
    instructions += R"({"instruction":"Sing.","output":"La."})"
                    "\n";
  const std::string alpaca = PutFile("i", instructions);
  EXPECT_EQ(Refusal(Source({pairs, alpaca})),
            "D/i: expected the template plain of D/a, found alpaca; --template NAME sets one for both");
  ChatSource source = Source({pairs, alpaca});
  source.template_name = "zephyr";
  source.length = 99;
  EXPECT_EQ(Refusal(source), "");
  // Text has no template, and the end of an answer is that of the others, whichever file comes first.
  const std::string text = PutFile("t", R"({"text":"Once."})"
                                        "\n");
  source.files = {text, alpaca};
  source.template_name = "chatml";
  EXPECT_EQ(Read(source).chat.format, models::ChatFormat::kChatMl);
  source.files = {text, text, text};
  EXPECT_EQ(Read(source).chat.format, models::ChatFormat::kPlain);
}

TEST_F(ChatSources, EveryPassOfPackedRowsCoversEverySample) {
  ChatSource source = Source({PutPairs("a", 25)});
  source.held_out = PutPairs("v", 2);
  source.pack = true;
  source.batch = 1;
  const ChatData data = Read(source);
  // "p" and "aN" are 3 tokens, "aNN" are 4: three rows of four long ones, one of three and a short one, and rows of
  // five and of four short ones.
  EXPECT_EQ(data.train, 25);
  EXPECT_EQ(data.data.samples, 6);
  EXPECT_EQ(data.longest, 16);
  EXPECT_EQ(Describe(data).rfind("25 samples to train on, packed into 6 packs, 2 held out; ", 0), 0u) << Describe(data);
  const std::multiset<std::string> first = LearnedIn(data, 6);
  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), 25u);
  EXPECT_EQ(first.size(), 25u);
  std::multiset<std::string> two = first;
  two.insert(first.begin(), first.end());
  EXPECT_EQ(LearnedIn(data, 12), two);
  for (Index step = 0; step < 12; ++step) {
    const Batch batch = data.data.train(step);
    EXPECT_LE(batch.tokens(), 16);
    EXPECT_LE(batch.length, 4);
    EXPECT_EQ(batch.borders->back(), batch.tokens());
  }
  EXPECT_EQ(data.data.held_out[0].borders, nullptr);
}

TEST_F(ChatSources, PromptsAreLearnedWhereAsked) {
  ChatSource source = Source({PutPairs("a", 3)});
  source.mask_prompts = false;
  source.held_out = PutFile("v", R"({"prompt":"pq","completion":"c"})"
                                 "\n");
  EXPECT_EQ(Learned(Read(source).data.held_out), std::vector<std::string>{"qc"});
}

}  // namespace
}  // namespace ampgrad::train
