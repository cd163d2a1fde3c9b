#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/train/corpus/corpus_testing.h"
#include "train/corpus/score_prediction.h"

namespace ampgrad::corpus {
namespace {

TEST(Bigrams, AreThoseCountedByHand) {
  // "abracadabra", a 0, b 1, c 2, d 3, r 4: ab br ra ac ca ad da ab br ra
  const Bigrams counts = CountBigrams({0, 1, 4, 0, 2, 0, 3, 0, 1, 4, 0}, 6);
  EXPECT_EQ(counts.tokens, 11);
  EXPECT_EQ(counts.unigrams, (std::vector<Index>{5, 2, 1, 1, 2, 0}));
  EXPECT_EQ(counts.Seen(), (std::vector<int>{0, 1, 2, 3, 4}));
  std::vector<std::vector<Index>> pairs;
  for (const Bigram& pair : counts.pairs) pairs.push_back({pair.first, pair.second, pair.count});
  EXPECT_EQ(pairs, (std::vector<std::vector<Index>>{
                       {0, 1, 2}, {0, 2, 1}, {0, 3, 1}, {1, 4, 2}, {2, 0, 1}, {3, 0, 1}, {4, 0, 2}}));
  const TextSize size = SizeOf(counts);
  EXPECT_EQ(size.tokens, 11);
  EXPECT_EQ(size.vocabulary, 6);
  EXPECT_EQ(size.distinct_tokens, 5);
  EXPECT_EQ(size.bigrams, 7);
  EXPECT_EQ(size.bigrams_once, 4);
}

TEST(Bigrams, AreThoseOfADenseTable) {
  const Index v = 50;
  const std::vector<int> ids = SkewedIds(3000, v, 1);
  Doubles table = DensePairs(ids, v);
  for (const Bigram& pair : CountBigrams(ids, v).pairs) {
    EXPECT_GT(pair.count, 0);
    table.row(pair.first)[pair.second] -= static_cast<double>(pair.count);
  }
  for (const double rest : table.values) ASSERT_EQ(rest, 0);
}

TEST(Bigrams, RefuseIdsOutsideTheVocabulary) {
  ExpectMessage<std::invalid_argument>([] { CountBigrams({0, 6}, 6); }, "[corpus] expected ids in 0..5, found 6");
  ExpectMessage<std::invalid_argument>([] { CountBigrams({0, -1}, 6); }, "[corpus] expected ids in 0..5, found -1");
  ExpectMessage<std::invalid_argument>([] { CountBigrams({0}, 6); },
                                       "[corpus] expected a text of at least 2 tokens, found 1");
}

TEST(TextIds, AreThoseOfTheTokenizer) {
  const models::Tokenizer bytes = models::Tokenizer::Bytes();
  EXPECT_EQ(TextIds("abc", bytes, "text"), (std::vector<int>{'a', 'b', 'c'}));
  ExpectMessage<std::runtime_error>([&] { TextIds("ab\xFF", bytes, "story.txt"); },
                                    "story.txt: [tokenizer] expected UTF-8, found the byte 0xFF at byte 2");
}

}  // namespace
}  // namespace ampgrad::corpus
