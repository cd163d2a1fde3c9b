#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tensor/random.h"
#include "tests/support/chat_files.h"
#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/data/examples.h"
#include "train/data/wording.h"

namespace ampgrad::train {
namespace {

using Ids = std::vector<int>;
using IndexRows = std::vector<std::vector<Index>>;
using models::ChatFormat;
using models::Role;

/// A tokenizer of bytes with the special tokens of all templates, and the templates.
class ChatTokens {
 public:
  explicit ChatTokens(const std::string& prefix = "") {
    PutChatModel(dir_.path(), prefix);
    Put(dir_.path() / "config.json", R"({"eos_token_id": 256, "bos_token_id": 263})");
  }
  models::Tokenizer tokenizer() const { return models::Tokenizer::FromFile(dir_.path() / "tokenizer.json"); }
  models::ChatTemplate Template(ChatFormat format) const {
    return models::NamedTemplate(format, dir_.path(), tokenizer());
  }

 private:
  TempDir dir_;
};

Samples Text(const std::string& text) { return {SampleKind::kText, {{{{Role::kAssistant, text}}, "", 4}}}; }

Example Only(const Samples& samples, const Encoding& encoding, const models::Tokenizer& tokenizer) {
  const Examples examples = EncodeSamples(samples, encoding, tokenizer, "data");
  EXPECT_EQ(examples.all.size(), 1u);
  return examples.all[0];
}

TEST(Examples, EveryTokenOfATextIsLearned) {
  const ChatTokens bytes, with_prefix("<s>");
  const Example plain = Only(Text("abc"), {bytes.Template(ChatFormat::kPlain), 9}, bytes.tokenizer());
  EXPECT_EQ(plain.inputs, (Ids{'a', 'b', 'c'}));
  EXPECT_EQ(plain.targets, (Ids{'b', 'c', 256}));
  const Example begun = Only(Text("abc"), {with_prefix.Template(ChatFormat::kPlain), 9}, with_prefix.tokenizer());
  EXPECT_EQ(begun.inputs, (Ids{263, 'a', 'b', 'c'}));
  EXPECT_EQ(begun.targets, (Ids{'a', 'b', 'c', 256}));
}

TEST(Examples, PromptsAreLearnedWithoutTheMask) {
  const ChatTokens bytes;
  const models::ChatTemplate chat = bytes.Template(ChatFormat::kPlain);
  const Samples samples{SampleKind::kPrompt, {MakeSample("ab", "xy")}};
  EXPECT_EQ(Only(samples, {chat, 9}, bytes.tokenizer()).targets, (Ids{ops::kIgnored, 'x', 'y', 256}));
  EXPECT_EQ(Only(samples, {chat, 9, false}, bytes.tokenizer()).targets, (Ids{'b', 'x', 'y', 256}));
  // The mask of what is marked as context goes too, and a cut that leaves no answer leaves the prompt.
  Samples context{SampleKind::kMessages, {{{{Role::kAssistant, "a", false}, {Role::kAssistant, "b"}}, "", 0}}};
  EXPECT_EQ(Only(context, {chat, 9}, bytes.tokenizer()).targets, (Ids{ops::kIgnored, 'b', 256}));
  EXPECT_EQ(Only(context, {chat, 9, false}, bytes.tokenizer()).targets, (Ids{256, 'b', 256}));
  EXPECT_EQ(Only(samples, {chat, 1, false}, bytes.tokenizer()).targets, (Ids{'b'}));
  EXPECT_TRUE(Only(samples, {chat, 1}, bytes.tokenizer()).targets.empty());
}

TEST(Examples, SkippedSamplesKeepTheirPlace) {
  const ChatTokens bytes;
  const Samples samples{SampleKind::kPrompt, {MakeSample("a", ""), MakeSample("a", "x"), MakeSample("abcdef", "x")}};
  const Examples read = EncodeSamples(samples, {bytes.Template(ChatFormat::kPlain), 3}, bytes.tokenizer(), "data");
  ASSERT_EQ(read.all.size(), 3u);
  EXPECT_EQ(read.counts.skipped, 2);
  EXPECT_EQ(read.counts.truncated, 1);
  const std::vector<Example> kept = WithoutSkipped(read.all);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].sample, 1);
}

// The question of a sample and its answer are the two parts of what is learned.
TEST(LastQuestion, EndsWhereTheLastAnswerBegins) {
  const ChatTokens bytes("<s>");
  const models::Tokenizer tokenizer = bytes.tokenizer();
  Sample sample = MakeSample("How many?", "Two.");
  sample.messages.insert(sample.messages.begin(), {{Role::kUser, "Who?"}, {Role::kAssistant, "We."}});
  sample.messages.push_back({Role::kUser, "unanswered"});
  for (const ChatFormat format : {ChatFormat::kZephyr, ChatFormat::kChatMl, ChatFormat::kLlama2, ChatFormat::kLlama3}) {
    const models::ChatTemplate chat = bytes.Template(format);
    const Question question = LastQuestion(SampleKind::kMessages, sample, chat, tokenizer, "data");
    EXPECT_EQ(question.answer, "Two.");
    const Example whole = Only({SampleKind::kMessages, {sample}}, {chat, 999}, tokenizer);
    Ids expected = whole.inputs;
    const Ids answer = tokenizer.Encode(format == ChatFormat::kLlama2 ? " Two. " : "Two.");
    expected.resize(expected.size() - answer.size());
    EXPECT_EQ(question.prompt, expected) << models::ToString(format);
  }
  const Question plain = LastQuestion(SampleKind::kQuestion, MakeSample("How many?", "Two."),
                                      bytes.Template(ChatFormat::kPlain), tokenizer, "data");
  Ids ids = tokenizer.Encode("Question: How many?\nAnswer: ");
  ids.insert(ids.begin(), 263);
  EXPECT_EQ(plain.prompt, ids);
}

TEST(SideBySide, HasNoPaddingAndABorderAtEverySequence) {
  const Example a{{1, 2, 3}, {2, ops::kIgnored, 4}}, b{{5}, {6}}, c{{7, 8}, {ops::kIgnored, 9}};
  const Batch batch = SideBySide({&a, &b, &c});
  EXPECT_EQ(batch.length, 3);
  EXPECT_EQ(batch.inputs, (Ids{1, 2, 3, 5, 7, 8}));
  EXPECT_EQ(batch.targets, (Ids{2, ops::kIgnored, 4, 6, ops::kIgnored, 9}));
  EXPECT_EQ(*batch.borders, (std::vector<Index>{0, 3, 4, 6}));
  EXPECT_EQ(batch.sequences(), 3);
  const Batch part = batch.Shard(1, 2);  // what begins in rows 3 to 6
  EXPECT_EQ(part.inputs, (Ids{5, 7, 8}));
  EXPECT_EQ(part.targets, (Ids{6, ops::kIgnored, 9}));
  EXPECT_EQ(*part.borders, (std::vector<Index>{0, 1, 3}));
  for (const Index shards : {1, 2, 3, 6, 7}) {
    Ids inputs;
    for (Index i = 0; i < shards; ++i) {
      const Batch shard = batch.Shard(i, shards);
      EXPECT_EQ(shard.borders->back(), shard.tokens());
      inputs.insert(inputs.end(), shard.inputs.begin(), shard.inputs.end());
    }
    EXPECT_EQ(inputs, batch.inputs) << shards;
  }
  const Batch padded = Padded({&a, &b, &c});
  EXPECT_EQ(padded.sequences(), 3);
  EXPECT_EQ(padded.Shard(1, 3).inputs, (Ids{5, 0, 0}));
  EXPECT_EQ(padded.Shard(1, 3).borders, nullptr);
}

// The same samples in the same step: packed, the loss and every gradient are those of the padded batch.
TEST(SideBySide, LearnsWhatThePaddedBatchLearns) {
  std::vector<Example> examples(7);
  for (size_t i = 0; i < examples.size(); ++i) {
    for (const int id : {0, 1, 2, 3, 4, 5, 6}) {
      if (id > static_cast<int>(i)) break;
      examples[i].inputs.push_back(17 * id + static_cast<int>(i));
      examples[i].targets.push_back(id % 2 ? ops::kIgnored : 11 * id + 3);
    }
  }
  std::vector<const Example*> members;
  for (const Example& example : examples) members.push_back(&example);
  const auto learn = [](const Batch& batch) {
    models::Gpt model = Nano();
    Tape tape;
    const Var loss = BatchLoss(model, tape, batch);
    tape.Backward(loss);
    std::vector<double> all = {loss.value[0]};
    for (const Param* param : models::Parameters(model)) all.insert(all.end(), param->grad.begin(), param->grad.end());
    return all;
  };
  const std::vector<double> packed = learn(SideBySide(members)), padded = learn(Padded(members));
  double difference = 0, norm = 0;
  for (size_t i = 0; i < padded.size(); ++i) {
    difference += std::pow(packed.at(i) - padded[i], 2);
    norm += std::pow(padded[i], 2);
  }
  EXPECT_TRUE(std::sqrt(difference / norm) <= (sizeof(Real) == 8 ? 1e-13 : 1e-5)) << std::sqrt(difference / norm);
}

TEST(Pack, FillsTheFullestRowWithTheLongestFirst) {
  EXPECT_EQ(Pack({3, 5, 2, 4, 4, 1}, 6), (IndexRows{{1, 5}, {3, 2}, {4}, {0}}));
  EXPECT_EQ(Pack({2, 2, 2}, 6), (IndexRows{{0, 1, 2}}));
  EXPECT_EQ(Pack({6, 6}, 6), (IndexRows{{0}, {1}}));
  EXPECT_EQ(Pack({}, 6), IndexRows());
}

TEST(Pack, LosesNothingAndOverfillsNothing) {
  const Random random(1, 2);
  std::vector<Index> lengths;
  for (uint64_t i = 0; i < 1000; ++i) lengths.push_back(1 + random.Below(i, 100));
  std::vector<bool> seen(lengths.size(), false);
  const IndexRows rows = Pack(lengths, 100);
  for (const std::vector<Index>& row : rows) {
    Index sum = 0;
    for (const Index i : row) {
      EXPECT_FALSE(seen[i]);
      seen[i] = true;
      sum += lengths[i];
    }
    EXPECT_LE(sum, 100);
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 1000);
  // Best fit of falling lengths takes at most 11/9 of the fewest rows, and 4 more (Johnson 1973).
  const Index least = (std::accumulate(lengths.begin(), lengths.end(), Index{0}) + 99) / 100;
  EXPECT_LE(static_cast<double>(rows.size()), 11.0 / 9 * static_cast<double>(least) + 4);
}

}  // namespace
}  // namespace ampgrad::train
