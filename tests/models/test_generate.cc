#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <vector>

#include "models/generate.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

namespace ampgrad::models {
namespace {

using Ids = std::vector<int>;

GenerateOptions Greedy(Index max_tokens) {
  GenerateOptions options;
  options.max_tokens = max_tokens;
  return options;
}

GenerateOptions Sampling(Index max_tokens, uint64_t seed, double temperature = 1) {
  GenerateOptions options = Greedy(max_tokens);
  options.seed = seed;
  options.sampling.temperature = temperature;
  return options;
}

// The likeliest token after `ids`.
int Likeliest(LanguageModel& model, const Ids& ids) {
  const Tensor logits = LogitsOf(model, ids, static_cast<Index>(ids.size()));
  int best = 0;
  for (Index v = 1; v < model.vocabulary(); ++v) {
    if (logits.row(logits.rows() - 1)[v] > logits.row(logits.rows() - 1)[best]) best = static_cast<int>(v);
  }
  return best;
}

// A model whose next token depends on the tokens that it sees.
std::unique_ptr<Gpt> Model() { return TinyGpt(8); }

TEST(Generate, GreedyTakesTheLikeliestTokenEachTime) {
  const auto model = Model();
  Ids ids = {3, 1, 4}, expected;
  while (expected.size() < 8) {
    expected.push_back(Likeliest(*model, ids));
    ids.push_back(expected.back());
  }
  Ids emitted;
  const Ids added = Generate(*model, {3, 1, 4}, Greedy(8), [&](int id) { emitted.push_back(id); });
  EXPECT_EQ(added, expected);
  EXPECT_EQ(emitted, expected);
  EXPECT_TRUE(Generate(*model, {3}, Greedy(0)).empty());
}

TEST(Generate, PromptsBeyondTheContextAreSeenFromTheirEnd) {
  const auto model = Model();
  ASSERT_EQ(model->context(), 12);
  const Ids prompt = RandomIds(30, 23, 3);
  EXPECT_EQ(Generate(*model, prompt, Greedy(1)), Ids{Likeliest(*model, {prompt.end() - 12, prompt.end()})});
  EXPECT_EQ(Generate(*model, prompt, Greedy(5)), Generate(*model, {prompt.end() - 12, prompt.end()}, Greedy(5)));
}

// The model sees up to 12 tokens. With a thirteenth, it sees the last six only.
TEST(Generate, BeginsAFullContextAgainWithItsLastHalf) {
  const auto model = Model();
  Ids ids = RandomIds(9, 23, 3);
  Index seen = 9;
  for (const int id : Generate(*model, ids, Greedy(30))) {
    EXPECT_EQ(id, Likeliest(*model, {ids.end() - seen, ids.end()})) << "behind " << ids.size() << " tokens";
    ids.push_back(id);
    seen = seen == 12 ? 6 : seen + 1;
  }
  EXPECT_EQ(ids.size(), 39u);
}

TEST(Generate, GoesOnWithAContextOfOneToken) {
  GptConfig config = TinyConfig();
  config.n_positions = 1;
  Gpt model(config);
  Randomise(model, 8);
  const Ids added = Generate(model, {3, 4}, Greedy(4));
  int last = 4;
  for (const int id : added) {
    EXPECT_EQ(id, Likeliest(model, {last}));
    last = id;
  }
  EXPECT_EQ(added.size(), 4u);
}

TEST(Generate, SameTokensForAnyNumberOfThreads) {
  const auto model = Model();
  const Ids expected = Generate(*model, {1}, Sampling(40, 7));
  for (const int threads : {1, 2, 3}) {
    SetNumThreads(threads);
    EXPECT_EQ(Generate(*model, {1}, Sampling(40, 7)), expected) << threads;
    SetNumThreads(0);
  }
}

TEST(Generate, SameSeedSameDraw) {
  const auto model = Model();
  const Ids first = Generate(*model, {1}, Sampling(40, 7));
  EXPECT_EQ(first.size(), 40u);
  EXPECT_EQ(Generate(*model, {1}, Sampling(40, 7)), first);
  EXPECT_NE(Generate(*model, {1}, Sampling(40, 8)), first);
}

TEST(Generate, ALongerDrawBeginsAsAShorterOne) {
  const auto model = Model();
  const Ids longer = Generate(*model, {1}, Sampling(20, 7)), shorter = Generate(*model, {1}, Sampling(6, 7));
  EXPECT_EQ(shorter, Ids(longer.begin(), longer.begin() + 6));
}

TEST(Generate, LowTemperaturesAreGreedy) {
  const auto model = Model();
  EXPECT_EQ(Generate(*model, {1, 2}, Sampling(8, 3, 1e-6)), Generate(*model, {1, 2}, Greedy(8)));
}

// The first token over many seeds against softmax(logits / temperature), by Pearson's statistic.
TEST(Generate, DrawsFromTheSoftmax) {
  SetNumThreads(1);  // thousands of passes too small to share
  const auto model = Model();
  const Tensor logits = LogitsOf(*model, {5}, 1);
  for (const double temperature : {0.7, 2.0}) {
    std::vector<double> p;
    double total = 0;
    for (const Real z : logits) total += p.emplace_back(std::exp(z / temperature));
    constexpr int kDraws = 2000;
    std::map<int, int> counts;
    for (uint64_t seed = 0; seed < kDraws; ++seed)
      ++counts[Generate(*model, {5}, Sampling(1, seed, temperature)).at(0)];
    double statistic = 0;
    for (int v = 0; v < 23; ++v) statistic += std::pow(counts[v] - kDraws * p[v] / total, 2) / (kDraws * p[v] / total);
    EXPECT_LE(statistic, 60) << temperature;  // 22 degrees of freedom: exceeded with a probability below 1e-4
  }
  SetNumThreads(0);
}

// The options of a draw are those of SampleToken.
TEST(Generate, DrawsFromTheLikeliestOnly) {
  const auto model = Model();
  for (const bool by_number : {true, false}) {
    GenerateOptions options = Sampling(20, 7, 50);
    if (by_number) options.sampling.top_k = 1;
    if (!by_number) options.sampling.top_p = 1e-9;
    EXPECT_EQ(Generate(*model, {1, 2}, options), Generate(*model, {1, 2}, Greedy(20)));
  }
}

// For a model of zeros all tokens are equally likely: 60 draws of 23 tokens hold 21 different ones on average.
TEST(Generate, DrawsAnewForEveryToken) {
  Gpt zeros(TinyConfig());
  SetZero(zeros);
  const Ids drawn = Generate(zeros, {1}, Sampling(60, 7));
  EXPECT_GE(std::set<int>(drawn.begin(), drawn.end()).size(), 15u);
}

TEST(Generate, StopsBeforeTheEndToken) {
  const auto model = Model();
  const Ids all = Generate(*model, {1}, Sampling(40, 7));
  GenerateOptions options = Sampling(40, 7);
  options.end_tokens = {-1, all[10]};
  const auto end = std::find(all.begin(), all.end(), all[10]);
  Ids emitted;
  EXPECT_EQ(Generate(*model, {1}, options, [&](int id) { emitted.push_back(id); }), Ids(all.begin(), end));
  EXPECT_EQ(emitted, Ids(all.begin(), end));
}

// Such as ids without a token.
TEST(Generate, NeverDrawsWhatItMustNot) {
  const auto model = Model();
  const int likeliest = Likeliest(*model, {1});
  GenerateOptions options = Greedy(1);
  options.never = {likeliest, 1000};
  EXPECT_NE(Generate(*model, {1}, options)[0], likeliest);
  options = Sampling(200, 7);
  options.never = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (const int id : Generate(*model, {1}, options)) EXPECT_GE(id, 10);
}

TEST(Generate, AnEndTokenInThePromptDoesNotStop) {
  const auto model = Model();
  const Ids prompt = {9, 4};
  GenerateOptions options = Greedy(1);
  options.end_tokens = {9};
  ASSERT_NE(Likeliest(*model, prompt), 9);
  EXPECT_EQ(Generate(*model, prompt, options), Ids{Likeliest(*model, prompt)});
}

TEST(Generate, RefusesWhatIsNoPrompt) {
  const auto model = Model();
  ExpectMessage<std::invalid_argument>([&] { Generate(*model, {}, Greedy(3)); },
                                       "[generate] expected a prompt of at least one token");
  ExpectMessage<std::invalid_argument>(
      [&] {
        Generate(*model, {0, 23}, Greedy(3));
      },
      "[embedding] expected ids in 0..22, found 23 at position 1");
}

TEST(Generate, LeavesNoGradients) {
  const auto model = Model();
  Generate(*model, {1}, Greedy(3));
  for (const Param* param : Parameters(*model)) EXPECT_TRUE(param->grad.empty()) << param->name;
}

}  // namespace
}  // namespace ampgrad::models
