#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/train/training.h"
#include "train/analysis/evaluation.h"

namespace ampgrad::train {
namespace {

constexpr double kPerplexitiesApart = sizeof(Real) == 8 ? 1e-12 : 2e-6;

/// Questions of unequal length; the second and the last have no answer.
Samples Questions() {
  Samples samples{SampleKind::kPrompt, {}};
  for (int i = 0; i < 9; ++i) {
    samples.all.push_back(MakeSample("say " + std::string(static_cast<size_t>(i), 'x'),
                                     i == 1 || i == 8 ? "" : std::string(static_cast<size_t>(1 + i % 3), 'y')));
    samples.all.back().line = 1;  // as items of an array on one line
  }
  return samples;
}

std::vector<Example> Encoded(const Samples& samples) {
  return WithoutSkipped(EncodeSamples(samples, {models::ChatTemplate(), 40}, kByteTokenizer, "data").all);
}

// Each loss is that of the sequence as a batch of its own, however it is batched; their mean is that of Evaluate.
TEST(SequenceLosses, AreThoseOfSingleSequences) {
  models::Gpt model = Nano();
  const std::vector<Example> examples = Encoded(Questions());
  ASSERT_EQ(examples.size(), 7u);
  std::vector<const Example*> all;
  for (const Example& example : examples) all.push_back(&example);
  const std::vector<Batch> packed = {SideBySide(all)};
  for (const std::vector<Batch>& batches : {CutIntoBatches(examples, 1), CutIntoBatches(examples, 3), packed}) {
    Evaluation evaluation;
    evaluation.samples = SequenceLosses(model, batches);
    ASSERT_EQ(evaluation.samples.size(), 7u);
    Index tokens = 0;
    for (size_t i = 0; i < 7; ++i) {
      Tape tape(Tape::Mode::kInference);
      const double expected = BatchLoss(model, tape, Padded({&examples[i]})).value[0];
      EXPECT_TRUE(std::abs(evaluation.samples[i].loss - expected) <= kPerplexitiesApart * expected);
      EXPECT_EQ(evaluation.samples[i].tokens, ops::CountTargets(examples[i].targets));
      tokens += evaluation.samples[i].tokens;
    }
    const double expected = Evaluate(model, batches);
    EXPECT_TRUE(std::abs(evaluation.Loss() - expected) <= kPerplexitiesApart * expected);
    EXPECT_EQ(evaluation.Tokens(), tokens);
    EXPECT_NEAR(evaluation.Perplexity(), std::exp(evaluation.Loss()), 1e-12);
  }
}

TEST(SequenceLosses, NotANumberEndsAsDivergedError) {
  models::Gpt model = Nano();
  models::Parameters(model).back()->value.Fill(std::numeric_limits<Real>::quiet_NaN());
  ExpectMessage<DivergedError>([&] { SequenceLosses(model, CutIntoBatches(Encoded(Questions()), 2)); },
                               "the loss of a sequence is not finite");
}

TEST(Evaluation, WeighsSamplesByTheirTokens) {
  Evaluation evaluation;
  evaluation.samples.resize(2);
  evaluation.samples[0].tokens = 3;
  evaluation.samples[0].loss = 1;
  evaluation.samples[1].tokens = 1;
  evaluation.samples[1].loss = 5;
  evaluation.samples[1].matched = true;
  EXPECT_EQ(evaluation.Loss(), 2);
  EXPECT_EQ(evaluation.Tokens(), 4);
  EXPECT_EQ(evaluation.Matched(), 1);
}

// The data's answers are what the model says, but for one.
TEST(MatchAnswers, ComparesWhatTheModelSays) {
  models::Gpt model = Nano();
  models::GenerateOptions generate;
  generate.max_tokens = 5;
  generate.end_tokens = {0};
  for (int id = 127; id < 256; ++id) generate.never.push_back(id);
  Samples samples{SampleKind::kPrompt, {}};
  for (const std::string prompt : {"a", "bcd", "ef"}) {
    const std::vector<int> ids = kByteTokenizer.Encode(prompt);
    samples.all.push_back(MakeSample(prompt, kByteTokenizer.Decode(models::Generate(model, ids, generate)) + "!"));
  }
  for (const size_t i : {0, 2}) samples.all[i].messages.back().content.pop_back();
  const std::vector<Example> examples = Encoded(samples);
  Evaluation evaluation;
  evaluation.match = Match::kText;
  evaluation.samples = SequenceLosses(model, CutIntoBatches(examples, 2));
  std::vector<size_t> done;
  const Respondent respondent{model, kByteTokenizer, models::ChatTemplate(), generate};
  MatchAnswers(
      respondent, samples, examples, "data", [&](size_t n) { done.push_back(n); }, evaluation);
  EXPECT_EQ(done, (std::vector<size_t>{1, 2, 3}));
  EXPECT_EQ(evaluation.Matched(), 2);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(evaluation.samples[i].matched, i != 1);
    EXPECT_EQ(evaluation.samples[i].answer + (i == 1 ? "!" : ""), samples.all[i].messages.back().content);
  }
  samples.kind = SampleKind::kText;
  ExpectMessage<std::runtime_error>([&] { MatchAnswers(respondent, samples, examples, "data", nullptr, evaluation); },
                                    "data: its samples are plain text, which asks nothing; expected --match none");
}

TEST(Evaluation, CsvQuotesAnswers) {
  Evaluation evaluation;
  evaluation.samples = {{3, 2, 0.5, "", false}, {9, 1, 0, "", false}};
  EXPECT_EQ(ToCsv(evaluation), "line,tokens,loss,perplexity,matched,answer\n3,2,0.5,1.64872127,,\n9,1,0,1,,\n");
  evaluation.match = Match::kText;
  evaluation.samples[0].answer = "say \"a, b\"\nand c";
  evaluation.samples[1].matched = true;
  EXPECT_EQ(ToCsv(evaluation),
            "line,tokens,loss,perplexity,matched,answer\n3,2,0.5,1.64872127,0,\"say \"\"a, b\"\"\nand c\"\n"
            "9,1,0,1,1,\"\"\n");
}

}  // namespace
}  // namespace ampgrad::train
