#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/train/training.h"
#include "train/data/text_data.h"

namespace ampgrad::train {
namespace {

/// A text in which every byte determines the next: b + 1 modulo 127.
std::string Counting(Index size) {
  std::string text;
  for (Index i = 0; i < size; ++i) text.push_back(static_cast<char>(i % 127));
  return text;
}

std::string Message(const std::string& text, Index length) {
  try {
    TextData(text, kByteTokenizer, length, 4, 1, "story.txt");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "accepted";
}

Index Windows(const Data& data) {
  Index windows = 0;
  for (const Batch& batch : data.held_out) windows += batch.tokens() / batch.length;
  return windows;
}

TEST(TextData, TargetsAreInputsShiftedByOne) {
  const Data data = TextData(Counting(5000), kByteTokenizer, 15, 4, 1, "text");
  std::vector<Batch> batches = data.held_out;
  for (Index step = 0; step < 50; ++step) batches.push_back(data.train(step));
  for (const Batch& batch : batches) {
    ASSERT_EQ(batch.length, 15);
    ASSERT_EQ(batch.inputs.size(), batch.targets.size());
    ASSERT_EQ(batch.inputs.size() % 15, 0u);
    for (size_t n = 0; n < batch.inputs.size(); ++n) {
      ASSERT_EQ(batch.targets[n], (batch.inputs[n] + 1) % 127);
      ASSERT_EQ(batch.inputs[n], n % 15 > 0 ? batch.targets[n - 1] : batch.inputs[n]);
    }
  }
}

TEST(TextData, TrainingNeverTouchesTheHeldOutTail) {
  // 4000 bytes, a twentieth of them held out in whole windows of 15 + 1: floor(200/16) = 12 windows, 192 bytes.
  const std::string text = "<" + std::string(3806, 'a') + ">" + std::string(192, 'Z');
  const Data data = TextData(text, kByteTokenizer, 15, 5, 1, "text");
  EXPECT_EQ(Windows(data), 12);
  ASSERT_EQ(data.held_out.size(), 3u);  // 5 + 5 + 2
  EXPECT_EQ(data.held_out[2].tokens(), 2 * 15);
  for (const Batch& batch : data.held_out) {
    for (const int id : batch.inputs) ASSERT_EQ(id, 'Z');
    for (const int id : batch.targets) ASSERT_EQ(id, 'Z');
  }
  bool first = false, last = false;
  for (Index step = 0; step < 10000; ++step) {
    const Batch batch = data.train(step);
    ASSERT_EQ(batch.tokens(), 5 * 15);
    for (const int id : batch.inputs) ASSERT_TRUE(id == 'a' || id == '<') << "step " << step << ", input " << id;
    for (const int id : batch.targets) ASSERT_TRUE(id == 'a' || id == '>') << "step " << step << ", target " << id;
    first = first || std::count(batch.inputs.begin(), batch.inputs.end(), '<') > 0;
    last = last || std::count(batch.targets.begin(), batch.targets.end(), '>') > 0;
  }
  EXPECT_TRUE(first && last);  // both ends of the training part are reached
}

TEST(TextData, HoldsOutOneToSixtyFourWindows) {
  EXPECT_EQ(Windows(TextData(Counting(32), kByteTokenizer, 15, 4, 1, "text")), 1);
  EXPECT_EQ(Windows(TextData(Counting(639), kByteTokenizer, 15, 4, 1, "text")),
            1);  // 639/20 = 31 bytes: one window of 16
  EXPECT_EQ(Windows(TextData(Counting(640), kByteTokenizer, 15, 4, 1, "text")), 2);
  EXPECT_EQ(Windows(TextData(Counting(100000), kByteTokenizer, 15, 4, 1, "text")), 64);
}

TEST(TextData, HeldOutWindowsDoNotOverlap) {
  const std::string text = Counting(4000);
  std::string tail;
  for (const Batch& batch : TextData(text, kByteTokenizer, 15, 5, 1, "text").held_out) {
    for (size_t n = 0; n < batch.inputs.size(); n += 15) {
      tail.push_back(static_cast<char>(batch.inputs[n]));
      for (size_t i = n; i < n + 15; ++i) tail.push_back(static_cast<char>(batch.targets[i]));
    }
  }
  EXPECT_EQ(tail, text.substr(4000 - 12 * 16));
}

TEST(TextData, SameSeedSameBatches) {
  const std::string text = Counting(5000);
  const Data a = TextData(text, kByteTokenizer, 15, 4, 1, "text"), b = TextData(text, kByteTokenizer, 15, 4, 1, "text");
  const Data other = TextData(text, kByteTokenizer, 15, 4, 2, "text");
  const Batch third = a.train(2);  // asked for out of order: a batch depends on nothing but its step
  for (Index step = 0; step < 10; ++step) {
    EXPECT_EQ(a.train(step).inputs, b.train(step).inputs);
    EXPECT_NE(a.train(step).inputs, other.train(step).inputs);
    EXPECT_NE(a.train(step).inputs, a.train(step + 1).inputs);
  }
  EXPECT_EQ(third.inputs, a.train(2).inputs);
}

TEST(TextData, TheShortestTextTrainsOnItsOneWindow) {
  const std::string text = "abcdefgh";  // two windows of 3 + 1
  const Data data = TextData(text, kByteTokenizer, 3, 2, 1, "text");
  EXPECT_EQ(data.train(7).inputs, (std::vector<int>{'a', 'b', 'c', 'a', 'b', 'c'}));
  EXPECT_EQ(data.train(7).targets, (std::vector<int>{'b', 'c', 'd', 'b', 'c', 'd'}));
  ASSERT_EQ(data.held_out.size(), 1u);
  EXPECT_EQ(data.held_out[0].inputs, (std::vector<int>{'e', 'f', 'g'}));
  EXPECT_EQ(data.held_out[0].targets, (std::vector<int>{'f', 'g', 'h'}));
}

TEST(TextData, RefusesTooShortAText) {
  const std::string expected =
      "story.txt: expected at least 8 tokens, one sequence to train on and one held out, found ";
  EXPECT_EQ(Message("abcdefg", 3), expected + "7");
  EXPECT_EQ(Message("", 3), expected + "0");
}

TEST(UnigramEntropy, OfKnownTexts) {
  EXPECT_EQ(UnigramEntropy("aaaa"), 0);
  EXPECT_NEAR(UnigramEntropy("abba"), std::log(2.0), 1e-15);
  EXPECT_NEAR(UnigramEntropy("aaab"), 2 * std::log(2.0) - 0.75 * std::log(3.0), 1e-15);
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  EXPECT_NEAR(UnigramEntropy(every_byte), 8 * std::log(2.0), 1e-13);
}

// Every token but the first is a target once, in its order, with the tokens before it in its window.
TEST(TextWindows, CoverTheText) {
  for (const Index size : {2, 15, 16, 17, 100, 137}) {
    for (const Index batch : {1, 4}) {
      std::string seen = Counting(1);
      for (const Batch& windows : TextWindows(Counting(size), kByteTokenizer, 15, batch, 1000, "text")) {
        EXPECT_LE(windows.sequences(), batch);
        EXPECT_LE(windows.length, 15);
        for (Index n = 0; n < windows.tokens(); ++n) {
          EXPECT_EQ(windows.inputs[n], static_cast<int>(seen.back()));
          seen.push_back(static_cast<char>(windows.targets[n]));
        }
      }
      EXPECT_EQ(seen, Counting(size));
    }
  }
  EXPECT_EQ(TextWindows(Counting(100), kByteTokenizer, 15, 4, 3, "text").at(0).tokens(), 45);
  EXPECT_EQ(TextWindows(Counting(100), kByteTokenizer, 15, 4, 3, "text").size(), 1u);
  EXPECT_THROW(TextWindows("a", kByteTokenizer, 15, 4, 1000, "text"), std::runtime_error);
}

}  // namespace
}  // namespace ampgrad::train
