#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "models/gpt.h"
#include "tests/temp_dir.h"
#include "train/pair_data.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

const models::Tokenizer kTokenizer = models::Tokenizer::Bytes();
constexpr int kNone = ops::kIgnored;

// ---- ReadPairs

/// What ReadPairs makes of a file with these bytes.
std::vector<Pair> Read(const std::string& bytes) {
  const TempDir dir;
  const std::filesystem::path file = dir.path() / "data.jsonl";
  std::ofstream(file, std::ios::binary) << bytes;
  return ReadPairs(file);
}

/// Expects a refusal whose message names the file and `line` (0: the file alone) and holds `part`.
void ExpectRefused(const std::string& bytes, int line, const std::string& part) {
  SCOPED_TRACE(bytes.substr(0, 100));
  try {
    Read(bytes);
    ADD_FAILURE() << "accepted";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    const std::string where = line > 0 ? "data.jsonl:" + std::to_string(line) + ": " : "data.jsonl: ";
    EXPECT_NE(message.find(where), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u) << message;
  }
}

const std::string kGood = R"({"prompt":"p","completion":"c"})";

TEST(ReadPairs, ReadsBothShapes) {
  const auto pairs = Read(R"({"prompt": "a", "completion": "b", "source": 3})"
                          "\n" +
                          kGood + "\n");
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].prompt, "a");
  EXPECT_EQ(pairs[0].completion, "b");
  EXPECT_EQ(pairs[1].prompt, "p");
  const auto questions = Read(R"({"answer": "Yes.", "question": "Is it?"})");
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_EQ(questions[0].prompt, "Question: Is it?\nAnswer: ");
  EXPECT_EQ(questions[0].completion, "Yes.");
}

TEST(ReadPairs, AcceptsWhatEditorsWrite) {
  EXPECT_EQ(Read(kGood).size(), 1u);                                        // no last newline
  EXPECT_EQ(Read("\xEF\xBB\xBF" + kGood + "\n").size(), 1u);                // byte-order mark
  EXPECT_EQ(Read(kGood + "\r\n" + kGood + "\r\n").size(), 2u);              // CRLF
  EXPECT_EQ(Read("\n  \t\n\r\n" + kGood + "\n\n\n" + kGood).size(), 2u);    // blank lines
  EXPECT_EQ(Read("\xEF\xBB\xBF\r\n" + kGood + "\r\n" + kGood).size(), 2u);  // all at once
  const auto crlf = Read("{\"prompt\":\"p\",\"completion\":\"c\"}\r\n");
  EXPECT_EQ(crlf[0].completion, "c");
}

TEST(ReadPairs, ALineSeparatorInsideAStringEndsNoLine) {
  // U+2028 and U+0085 end lines for some readers, never for JSON lines.
  const auto pairs = Read("{\"prompt\":\"a\xE2\x80\xA8z\",\"completion\":\"b\xC2\x85z\"}\n" + kGood);
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].prompt, "a\xE2\x80\xA8z");
  EXPECT_EQ(pairs[0].completion, "b\xC2\x85z");
  EXPECT_EQ(Read(R"({"prompt":"\u2028","completion":"\ud83d\ude00\n"})")[0].completion, "\xF0\x9F\x98\x80\n");
}

TEST(ReadPairs, CountsLinesFromOneWithBlankOnes) {
  ExpectRefused("\n" + kGood + "\r\n\n\n" + kGood + "\n\nnot JSON\n" + kGood, 7, "not valid JSON");
}

TEST(ReadPairs, RefusesLinesOfAnotherKind) {
  ExpectRefused("[1, 2]", 1, "expected a JSON object, found array");
  ExpectRefused(kGood + "\n17\n", 2, "expected a JSON object, found number");
  ExpectRefused(kGood + "\n\"word\"\n", 2, "expected a JSON object, found string");
  ExpectRefused(kGood + "\nnull\n", 2, "expected a JSON object, found null");
  ExpectRefused(kGood + kGood, 1, "not valid JSON");  // two objects in a line
  ExpectRefused(kGood + "\n" + kGood.substr(0, 20), 2, "not valid JSON");
}

TEST(ReadPairs, RefusesWrongFields) {
  ExpectRefused(R"({"prompt":"p"})", 1, "expected a string under \"completion\", found no such key");
  ExpectRefused(R"({"completion":"c"})", 1, "expected a string under \"prompt\", found no such key");
  ExpectRefused(R"({"question":"q","completion":"c"})", 1, "expected a string under \"answer\", found no such key");
  ExpectRefused(R"({"prompt":"p","completion":3})", 1, "expected a string under \"completion\", found number");
  ExpectRefused(R"({"prompt":"p","completion":null})", 1, "expected a string under \"completion\", found null");
  ExpectRefused(R"({"prompt":["p"],"completion":"c"})", 1, "expected a string under \"prompt\", found array");
  ExpectRefused(kGood + "\n" + R"({"prompt":"p","completion":""})", 2, "the completion is empty");
  ExpectRefused(R"({"question":"q","answer":""})", 1, "the answer is empty");
  ExpectRefused(kGood + "\n" + R"({"prompt":"","completion":"c"})", 2, "the prompt is empty");
}

TEST(ReadPairs, RefusesADuplicateKey) {
  ExpectRefused(kGood + "\n" + R"({"prompt":"p","completion":"c","completion":"d"})", 2,
                "the key \"completion\" stands twice");
  ExpectRefused(R"({"prompt":"p","\u0070rompt":"q","completion":"c"})", 1, "the key \"prompt\" stands twice");
}

TEST(ReadPairs, RefusesMixedShapes) {
  ExpectRefused(kGood + "\n" + R"({"question":"q","answer":"a"})", 2, "expected a prompt as in the lines above");
  ExpectRefused(R"({"question":"q","answer":"a"})" + std::string("\n\n") + kGood, 3,
                "expected a question as in the lines above");
}

TEST(ReadPairs, RefusesDeepNesting) {
  const std::string open(100000, '['), close(100000, ']');
  ExpectRefused(kGood + "\n" + open + close, 2, "nested deeper than");
  ExpectRefused(open, 1, "nested deeper than");
  ExpectRefused(R"({"prompt":"p","completion":"c","x":)" + open + close + "}", 1, "nested deeper than");
}

TEST(ReadPairs, RefusesInvalidUtf8) {
  for (const std::string bytes : {"\xFF", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    ExpectRefused(kGood + "\n{\"prompt\":\"" + bytes + "\",\"completion\":\"c\"}", 2, "not valid JSON");
  }
  ExpectRefused(R"({"prompt":"\ud800","completion":"c"})", 1, "not valid JSON");  // a lone surrogate
}

TEST(ReadPairs, RefusesWhatHoldsNoPair) {
  ExpectRefused("", 0, "there is no prompt/completion pair in it");
  ExpectRefused("\n \t\r\n\n", 0, "there is no prompt/completion pair in it");
  ExpectRefused("\xEF\xBB\xBF", 0, "there is no prompt/completion pair in it");
}

TEST(ReadPairs, RefusesAMissingFileAndADirectory) {
  const TempDir dir;
  const auto message = [](const std::filesystem::path& path) -> std::string {
    try {
      ReadPairs(path);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::filesystem::path missing = dir.path() / "missing.jsonl";
  EXPECT_EQ(message(missing), missing.string() + ": no such file");
  EXPECT_EQ(message(dir.path()), dir.path().string() + ": not a regular file");
}

// ---- MakePairData

PairData Make(const std::vector<Pair>& pairs, Index length, Index batch, uint64_t seed = 1) {
  return MakePairData(pairs, kTokenizer, length, batch, seed, "data.jsonl");
}

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

TEST(PairData, LossIsOnCompletionAndEndOnly) {
  const PairData data = Make({{"abc", "xy"}, {"abc", "xy"}, {"abc", "xy"}}, 64, 1);
  for (const Batch& batch : {data.data.train(0), data.data.validation[0], data.data.held_out[0]}) {
    EXPECT_EQ(batch.length, 5);
    EXPECT_EQ(batch.inputs, (std::vector<int>{'a', 'b', 'c', 'x', 'y'}));
    EXPECT_EQ(batch.targets, (std::vector<int>{kNone, kNone, 'x', 'y', 0}));
  }
  const PairData one = Make({{"a", "x"}, {"a", "x"}, {"a", "x"}}, 64, 1);  // nothing to ignore
  EXPECT_EQ(one.data.train(0).inputs, (std::vector<int>{'a', 'x'}));
  EXPECT_EQ(one.data.train(0).targets, (std::vector<int>{'x', 0}));
}

TEST(PairData, PaddingIsIgnored) {
  // Three pairs in the training part; a batch of all of them is as long as its longest.
  const PairData data = Make({{"abc", "xy"}, {"a", "x"}, {"a", "x"}, {"abc", "xy"}, {"a", "x"}}, 64, 3);
  const std::vector<int> padded_inputs = {'a', 'x', 0, 0, 0}, padded_targets = {'x', 0, kNone, kNone, kNone};
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

TEST(PairData, PaddedLossEqualsUnpaddedLosses) {
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
      single.targets.push_back(i < n - 1 ? kNone : i < 2 * n - 1 ? '0' + n : 0);
    }
    Tape tape(Tape::Mode::kInference);
    sum += (n + 1) * static_cast<double>(BatchLoss(model, tape, single).value[0]);
    targets += n + 1;
  }
  Tape tape(Tape::Mode::kInference);
  const double padded = BatchLoss(model, tape, batch).value[0];
  EXPECT_NEAR(padded, sum / targets, sizeof(Real) == sizeof(double) ? 1e-12 : 1e-5);
}

TEST(PairData, CutsAndSkipsByHand) {
  // Length 4. Inputs are prompt + completion; the first completion byte is the target at the prompt's last place.
  const std::vector<Pair> pairs = {
      {"a", "xyz"},     // 4 inputs: whole
      {"abc", "x"},     // 4 inputs: whole
      {"a", "wxyz"},    // 5: cut before the end of text
      {"abcd", "xyz"},  // 7: cut behind its first completion byte
      {"abcde", "x"},   // 6: cut, and no completion byte is left
      {"abcdefgh", "x"},
  };
  const PairData data = Make(pairs, 4, 1);
  EXPECT_EQ(data.truncated, 4);
  EXPECT_EQ(data.skipped, 2);
  EXPECT_EQ(data.train + data.validation + data.held_out, 4);
  std::map<std::vector<int>, std::vector<int>> targets_of;
  std::vector<Batch> batches = {data.data.held_out[0], data.data.validation[0], data.data.train(0), data.data.train(1)};
  for (const Batch& batch : batches) targets_of[batch.inputs] = batch.targets;
  const std::map<std::vector<int>, std::vector<int>> expected = {
      {{'a', 'x', 'y', 'z'}, {'x', 'y', 'z', 0}},
      {{'a', 'b', 'c', 'x'}, {kNone, kNone, 'x', 0}},
      {{'a', 'w', 'x', 'y'}, {'w', 'x', 'y', 'z'}},
      {{'a', 'b', 'c', 'd'}, {kNone, kNone, kNone, 'x'}},
  };
  EXPECT_EQ(targets_of, expected);
}

TEST(PairData, RefusesTooFewPairs) {
  const auto message = [](const std::vector<Pair>& pairs) -> std::string {
    try {
      Make(pairs, 4, 1);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string expected = "data.jsonl: expected at least 3 pairs with an answer within 4 tokens, found ";
  EXPECT_EQ(message(std::vector<Pair>(9, {"abcde", "x"})), expected + "0");  // all skipped
  EXPECT_EQ(message({{"abcde", "x"}, {"a", "x"}, {"a", "x"}}), expected + "2");
  EXPECT_EQ(message({{"a", "x"}, {"a", "x"}, {"a", "x"}}), "accepted");
}

TEST(PairData, SplitsATenthAndATenth) {
  struct Case {
    Index pairs, part;
  };
  for (const auto& [pairs, part] : {Case{3, 1}, {19, 1}, {20, 2}, {99, 9}, {1280, 128}, {2000, 128}}) {
    SCOPED_TRACE(pairs);
    const PairData data = Make(Numbered(pairs), 64, 8);
    EXPECT_EQ(data.held_out, part);
    EXPECT_EQ(data.validation, part);
    EXPECT_EQ(data.train, pairs - 2 * part);
    EXPECT_EQ(Completions(data.data.held_out).size(), static_cast<size_t>(part));
    EXPECT_EQ(Completions(data.data.validation).size(), static_cast<size_t>(part));
    EXPECT_EQ(data.truncated + data.skipped, 0);
  }
}

TEST(PairData, EveryPassCoversEveryTrainingPairOnce) {
  const PairData data = Make(Numbered(21), 64, 3);  // 17 train: batches of 3 cross the border between passes
  ASSERT_EQ(data.train, 17);
  std::vector<std::string> seen;
  for (Index step = 0; step < 17; ++step) {
    for (const std::string& text : Completions(data.data.train(step))) seen.push_back(text);
  }
  std::set<std::string> all(seen.begin(), seen.begin() + 17);
  EXPECT_EQ(all.size(), 17u);
  EXPECT_EQ(std::set<std::string>(seen.begin() + 17, seen.begin() + 34), all);
  EXPECT_EQ(std::set<std::string>(seen.begin() + 34, seen.end()), all);
  EXPECT_FALSE(std::equal(seen.begin(), seen.begin() + 17, seen.begin() + 17));  // shuffled anew
  // The three parts are disjoint and lose nothing.
  for (const auto* part : {&data.data.held_out, &data.data.validation}) {
    for (const std::string& text : Completions(*part)) EXPECT_TRUE(all.insert(text).second) << text;
  }
  EXPECT_EQ(all.size(), 21u);
}

TEST(PairData, ABatchLargerThanTheDataWorks) {
  const PairData data = Make(Numbered(5), 64, 16);  // 3 train
  const std::vector<std::string> seen = Completions(data.data.train(0));
  ASSERT_EQ(seen.size(), 16u);
  for (size_t n = 0; n + 3 <= 16; n += 3) EXPECT_EQ(std::set<std::string>(&seen[n], &seen[n + 3]).size(), 3u);
}

TEST(PairData, SameSeedSameSplitAndOrder) {
  const PairData a = Make(Numbered(50), 64, 4), b = Make(Numbered(50), 64, 4), other = Make(Numbered(50), 64, 4, 2);
  EXPECT_EQ(Completions(a.data.held_out), Completions(b.data.held_out));
  EXPECT_NE(Completions(a.data.held_out), Completions(other.data.held_out));
  for (const Index step : {20, 0, 7}) {
    EXPECT_EQ(a.data.train(step).inputs, b.data.train(step).inputs);
    EXPECT_EQ(a.data.train(step).targets, b.data.train(step).targets);
  }
}

}  // namespace
}  // namespace ampgrad::train
