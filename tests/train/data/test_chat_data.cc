#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "models/gpt.h"
#include "tests/support/chat_files.h"
#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/data/chat_data.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

struct Pair {
  std::string prompt, completion;
};

ChatData Make(const std::vector<Pair>& pairs, Index length, Index batch, uint64_t seed = 1) {
  Samples samples;
  for (const Pair& pair : pairs) samples.all.push_back(MakeSample(pair.prompt, pair.completion));
  return MakeChatData(samples, models::ChatTemplate(), kByteTokenizer, length, batch, seed, "data.jsonl");
}

/// A data file beside a model's files.
class ChatModelFiles {
 public:
  ChatModelFiles() { PutChatModel(model()); }
  std::filesystem::path model() const { return dir_.path(); }
  std::filesystem::path data() const { return dir_.path() / "data.jsonl"; }
  void PutData(int lines, const std::string& line) const {
    std::string text;
    for (int i = 0; i < lines; ++i) text += line + "\n";
    Put(data(), text);
  }
  models::Tokenizer tokenizer() const { return models::Tokenizer::FromFile(model() / "tokenizer.json"); }
  ChatData Read(const std::string& name) const {
    return ReadChatData({{data()}, model(), name, 64, 2, 1}, tokenizer());
  }
  std::string Message(const std::string& name) const {
    return MessageOf(dir_.path(), [&] { Read(name); });
  }

 private:
  TempDir dir_;
};

/// Pairs of unequal length, each with a completion of its own.
std::vector<Pair> Numbered(Index count) {
  std::vector<Pair> pairs;
  for (Index i = 0; i < count; ++i) {
    pairs.push_back({std::string(1 + i % 7, 'p'), "<" + std::to_string(i) + ">"});
  }
  return pairs;
}

/// The completions of a batch, read back from its targets: what is not ignored, up to the end of text.
std::vector<std::string> Completions(const Batch& batch) {
  std::vector<std::string> completions;
  for (size_t row = 0; row < batch.targets.size(); row += batch.length) {
    std::string text;
    for (size_t n = row; n < row + batch.length; ++n) {
      if (batch.targets[n] > 0) text.push_back(static_cast<char>(batch.targets[n]));
    }
    completions.push_back(text);
  }
  return completions;
}

std::vector<std::string> Completions(const std::vector<Batch>& batches) {
  std::vector<std::string> all;
  for (const Batch& batch : batches) {
    for (const std::string& text : Completions(batch)) all.push_back(text);
  }
  return all;
}

TEST(ChatData, LossIsOnCompletionAndEndOnly) {
  const ChatData data = Make({{"abc", "xy"}, {"abc", "xy"}, {"abc", "xy"}}, 64, 1);
  for (const Batch& batch : {data.data.train(0), data.data.validation[0], data.data.held_out[0]}) {
    EXPECT_EQ(batch.length, 5);
    EXPECT_EQ(batch.inputs, (std::vector<int>{'a', 'b', 'c', 'x', 'y'}));
    EXPECT_EQ(batch.targets, (std::vector<int>{ops::kIgnored, ops::kIgnored, 'x', 'y', 0}));
  }
  const ChatData one = Make({{"a", "x"}, {"a", "x"}, {"a", "x"}}, 64, 1);  // nothing to ignore
  EXPECT_EQ(one.data.train(0).inputs, (std::vector<int>{'a', 'x'}));
  EXPECT_EQ(one.data.train(0).targets, (std::vector<int>{'x', 0}));
}

TEST(ChatData, PaddingIsIgnored) {
  // Three pairs in the training part; a batch of all of them is as long as its longest.
  const ChatData data = Make({{"abc", "xy"}, {"a", "x"}, {"a", "x"}, {"abc", "xy"}, {"a", "x"}}, 64, 3);
  const std::vector<int> padded_inputs = {'a', 'x', 0, 0, 0},
                         padded_targets = {'x', 0, ops::kIgnored, ops::kIgnored, ops::kIgnored};
  int long_rows = 0, padded_rows = 0;
  for (Index step = 0; step < 3; ++step) {
    const Batch batch = data.data.train(step);
    ASSERT_EQ(batch.tokens(), 3 * batch.length);
    for (Index row = 0; batch.length == 5 && row < 3; ++row) {
      const std::vector<int> inputs(batch.inputs.begin() + row * 5, batch.inputs.begin() + row * 5 + 5);
      const std::vector<int> targets(batch.targets.begin() + row * 5, batch.targets.begin() + row * 5 + 5);
      if (inputs[1] == 'b') {
        ++long_rows;
        continue;
      }
      ++padded_rows;
      EXPECT_EQ(inputs, padded_inputs);
      EXPECT_EQ(targets, padded_targets);
    }
  }
  EXPECT_GT(long_rows, 0);
  EXPECT_GT(padded_rows, 0);
}

TEST(ChatData, PaddedLossEqualsUnpaddedLosses) {
  models::Gpt model(models::PresetConfig("nano"));
  model.Initialise(3);
  // Prompts of n letters 'p' and completions of n digits, so that a row of a batch is known by its length.
  std::vector<Pair> pairs;
  for (int n = 1; n <= 8; ++n) pairs.push_back({std::string(n, 'p'), std::string(n, static_cast<char>('0' + n))});
  const Batch batch = Make(pairs, 64, 6).data.train(0);
  double sum = 0;
  int targets = 0;
  for (const std::string& completion : Completions(batch)) {
    const int n = static_cast<int>(completion.size());
    Batch single{2 * n, {}, {}};
    for (int i = 0; i < 2 * n; ++i) {
      single.inputs.push_back(i < n ? 'p' : '0' + n);
      single.targets.push_back(i < n - 1 ? ops::kIgnored : i < 2 * n - 1 ? '0' + n : 0);
    }
    Tape tape(Tape::Mode::kInference);
    sum += (n + 1) * static_cast<double>(BatchLoss(model, tape, single).value[0]);
    targets += n + 1;
  }
  Tape tape(Tape::Mode::kInference);
  const double padded = BatchLoss(model, tape, batch).value[0];
  EXPECT_NEAR(padded, sum / targets, sizeof(Real) == sizeof(double) ? 1e-12 : 1e-5);
}

TEST(ChatData, CutsAndSkipsByHand) {
  // Length 4. Inputs are prompt + completion; the first completion byte is the target at the prompt's last position.
  const std::vector<Pair> pairs = {
      {"a", "xyz"},     // 4 inputs: whole
      {"abc", "x"},     // 4 inputs: whole
      {"a", "wxyz"},    // 5: cut before the end of text
      {"abcd", "xyz"},  // 7: cut after its first completion byte
      {"abcde", "x"},   // 6: cut, and no completion byte is left
      {"abcdefgh", "x"},
  };
  const ChatData data = Make(pairs, 4, 1);
  EXPECT_EQ(data.counts.truncated, 4);
  EXPECT_EQ(data.counts.skipped, 2);
  EXPECT_EQ(data.train + data.validation + data.held_out, 4);
  std::map<std::vector<int>, std::vector<int>> targets_of;
  std::vector<Batch> batches = {data.data.held_out[0], data.data.validation[0], data.data.train(0), data.data.train(1)};
  for (const Batch& batch : batches) targets_of[batch.inputs] = batch.targets;
  const std::map<std::vector<int>, std::vector<int>> expected = {
      {{'a', 'x', 'y', 'z'}, {'x', 'y', 'z', 0}},
      {{'a', 'b', 'c', 'x'}, {ops::kIgnored, ops::kIgnored, 'x', 0}},
      {{'a', 'w', 'x', 'y'}, {'w', 'x', 'y', 'z'}},
      {{'a', 'b', 'c', 'd'}, {ops::kIgnored, ops::kIgnored, ops::kIgnored, 'x'}},
  };
  EXPECT_EQ(targets_of, expected);
}

TEST(ChatData, RefusesTooFewSamples) {
  const auto message = [](const std::vector<Pair>& pairs) -> std::string {
    try {
      Make(pairs, 4, 1);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string expected = "data.jsonl: expected at least 3 samples with an answer within 4 tokens, found ";
  EXPECT_EQ(message(std::vector<Pair>(9, {"abcde", "x"})), expected + "0");  // all skipped
  EXPECT_EQ(message({{"abcde", "x"}, {"a", "x"}, {"a", "x"}}), expected + "2");
  EXPECT_EQ(message({{"a", "x"}, {"a", "x"}, {"a", "x"}}), "accepted");
}

TEST(ChatData, SplitsATenthAndATenth) {
  struct Case {
    Index pairs, part;
  };
  for (const auto& [pairs, part] : {Case{3, 1}, {19, 1}, {20, 2}, {99, 9}, {1280, 128}, {2000, 128}}) {
    SCOPED_TRACE(pairs);
    const ChatData data = Make(Numbered(pairs), 64, 8);
    EXPECT_EQ(data.held_out, part);
    EXPECT_EQ(data.validation, part);
    EXPECT_EQ(data.train, pairs - 2 * part);
    EXPECT_EQ(Completions(data.data.held_out).size(), static_cast<size_t>(part));
    EXPECT_EQ(Completions(data.data.validation).size(), static_cast<size_t>(part));
    EXPECT_EQ(data.counts.truncated + data.counts.skipped, 0);
  }
}

TEST(ChatData, EveryPassCoversEveryTrainingPairOnce) {
  const ChatData data = Make(Numbered(21), 64, 3);  // 17 train: batches of 3 cross the border between passes
  ASSERT_EQ(data.train, 17);
  std::vector<std::string> seen;
  for (Index step = 0; step < 17; ++step) {
    for (const std::string& text : Completions(data.data.train(step))) seen.push_back(text);
  }
  std::set<std::string> all(seen.begin(), seen.begin() + 17);
  EXPECT_EQ(all.size(), 17u);
  EXPECT_EQ(std::set<std::string>(seen.begin() + 17, seen.begin() + 34), all);
  EXPECT_EQ(std::set<std::string>(seen.begin() + 34, seen.end()), all);
  EXPECT_FALSE(std::equal(seen.begin(), seen.begin() + 17, seen.begin() + 17));  // shuffled again
  // The three parts are disjoint and lose nothing.
  for (const auto* part : {&data.data.held_out, &data.data.validation}) {
    for (const std::string& text : Completions(*part)) EXPECT_TRUE(all.insert(text).second) << text;
  }
  EXPECT_EQ(all.size(), 21u);
}

TEST(ChatData, ABatchLargerThanTheDataWorks) {
  const ChatData data = Make(Numbered(5), 64, 16);  // 3 train
  const std::vector<std::string> seen = Completions(data.data.train(0));
  ASSERT_EQ(seen.size(), 16u);
  for (size_t n = 0; n + 3 <= 16; n += 3) EXPECT_EQ(std::set<std::string>(&seen[n], &seen[n + 3]).size(), 3u);
}

TEST(ChatData, SameSeedSameSplitAndOrder) {
  const ChatData a = Make(Numbered(50), 64, 4), b = Make(Numbered(50), 64, 4), other = Make(Numbered(50), 64, 4, 2);
  EXPECT_EQ(Completions(a.data.held_out), Completions(b.data.held_out));
  EXPECT_NE(Completions(a.data.held_out), Completions(other.data.held_out));
  for (const Index step : {20, 0, 7}) {
    EXPECT_EQ(a.data.train(step).inputs, b.data.train(step).inputs);
    EXPECT_EQ(a.data.train(step).targets, b.data.train(step).targets);
  }
}

TEST(ChatData, KnowsWhereHeldOutSamplesStand) {
  const std::vector<Pair> pairs = Numbered(50);
  const ChatData data = Make(pairs, 64, 2);
  std::vector<std::string> completions;
  for (const Index sample : data.held_out_samples) completions.push_back(pairs[sample].completion);
  EXPECT_EQ(completions, Completions(data.data.held_out));
}

TEST(ChatData, EverySampleWithoutATargetIsAnError) {
  const std::vector<Pair> pairs(9, {"abcd", "x"});
  EXPECT_EQ(Make(pairs, 4, 1).counts.truncated, 9);
  EXPECT_EQ(Make(pairs, 4, 1).counts.skipped, 0);
  EXPECT_THROW(Make(pairs, 3, 1), std::runtime_error);
}

TEST(ChatData, ALengthOfOneToken) {
  const ChatData data = Make({{"a", "x"}, {"a", "x"}, {"a", "x"}, {"ab", "x"}}, 1, 1);
  EXPECT_EQ(data.counts.skipped, 1);
  EXPECT_EQ(data.data.train(0).inputs, (std::vector<int>{'a'}));
  EXPECT_EQ(data.data.train(0).targets, (std::vector<int>{'x'}));
}

TEST(ChatData, DescribesItself) {
  EXPECT_EQ(Describe(Make({{"a", "x"}, {"a", "xyz"}, {"a", "x"}, {"abcde", "x"}}, 3, 1)),
            "1 samples to train on, 1 for choosing rates, 1 held out; 2 cut at the sequence length, 1 skipped, as no "
            "answer was left");
}

// Several answers in a sample: the loss is on each of them, and a cut after the first keeps it.
TEST(ChatData, LossIsOnEveryAnswerOfAConversation) {
  using models::Role;
  Samples samples{SampleKind::kMessages, {}};
  for (int i = 0; i < 3; ++i) {
    samples.all.push_back(
        {{{Role::kUser, "u"}, {Role::kAssistant, "ab"}, {Role::kUser, "v"}, {Role::kAssistant, "c"}}, "", 0});
  }
  models::ChatTemplate chat;
  chat.format = models::ChatFormat::kZephyr;
  const auto learned = [&](Index length) {
    const Batch batch = MakeChatData(samples, chat, kByteTokenizer, length, 1, 1, "data.jsonl").data.train(0);
    std::string text;
    for (size_t n = 0; n < batch.targets.size(); ++n) {
      text.push_back(batch.targets[n] == ops::kIgnored ? '.'
                     : batch.targets[n] == 0           ? '$'
                                                       : static_cast<char>(batch.targets[n]));
    }
    return text;
  };
  // <|user|>\nu$\n<|assistant|>\nab$\n<|user|>\nv$\n<|assistant|>\nc$
  const std::string first(9 + 2 + 1 + 14 - 1, '.'), second(1 + 9 + 2 + 1 + 14, '.');
  EXPECT_EQ(learned(100), first + "ab$" + second + "c$");
  EXPECT_EQ(learned(30), first + "ab$" + "..");
}

TEST(ChatData, UnaffectedByWhatHappensToTheFile) {
  const ChatModelFiles files;
  files.PutData(10, R"({"prompt":"p","completion":"c"})");
  const ChatData data = files.Read("");
  const std::vector<int> inputs = data.data.train(3).inputs;
  files.PutData(10, "no JSON");
  EXPECT_EQ(data.data.train(3).inputs, inputs);
  std::filesystem::remove(files.data());
  EXPECT_EQ(data.data.train(3).inputs, inputs);
}

TEST(ChatData, ATextThatTheTokenizerCannotEncodeIsAnErrorOfItsLine) {
  const ChatModelFiles files;
  nlohmann::json json = ByteTokenizerJson(kControlTokens);
  json["model"]["vocab"]["zz"] = json["model"]["vocab"]["z"];
  json["model"]["vocab"].erase("z");
  Put(files.model() / "tokenizer.json", json.dump());
  const std::string good = R"({"prompt":"p","completion":"c"})", bad = R"({"prompt":"p","completion":"zoo"})";
  files.PutData(1, good + "\n\n" + bad + "\n" + good);
  EXPECT_EQ(files.Message("").rfind("D/data.jsonl:3: ", 0), 0u) << files.Message("");
}

TEST(ChatData, MessagesNeedATemplateWithRoles) {
  const ChatModelFiles files;
  files.PutData(3, R"({"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]})");
  EXPECT_EQ(
      files.Message(""),
      "D: expected chat_template.jinja, or a chat_template in tokenizer_config.json, found neither; messages need "
      "--template zephyr, chatml or llama3");
  for (const std::string name : {"plain", "alpaca"}) {
    EXPECT_EQ(files.Message(name),
              "the template " + name + " has no roles: messages need --template zephyr, chatml or llama3");
  }
  Put(files.model() / "chat_template.jinja", "{{ messages }}");
  EXPECT_EQ(files.Message("").rfind("D/chat_template.jinja: expected the chat template of Zephyr", 0), 0u);
  EXPECT_EQ(files.Message("zephyr"), "");  // the option overrides an unknown template
}

}  // namespace
}  // namespace ampgrad::train
