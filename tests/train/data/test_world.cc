#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/train/data/sample_parts.h"
#include "train/data/chat_data.h"
#include "train/data/wording.h"
#include "train/data/world.h"

namespace ampgrad::train {
namespace {

constexpr uint64_t kWorldSeed = 1;
constexpr size_t kBytes = 100'000;

/// {person, kind of fact} → all different words that the text has for it.
using PersonFacts = std::map<std::pair<std::string, std::string>, std::set<std::string>>;

/// Adds all matches of a pattern with the groups person and word.
void Collect(const std::string& text, const std::string& pattern, const std::string& kind, PersonFacts& facts) {
  const std::regex regex(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    facts[{(*it)[1], kind}].insert((*it)[2]);
  }
}

/// The facts that a text states in sentences of their own.
PersonFacts FactsOf(const std::string& text) {
  PersonFacts facts;
  Collect(text, "([A-Z][a-z]+) lives in ([A-Za-z ]+)\\.", "town", facts);
  Collect(text, "([A-Z][a-z]+) is a ([a-z ]+)\\.", "trade", facts);
  Collect(text, "([A-Z][a-z]+) has a ([a-z ]+)\\.", "animal", facts);
  Collect(text, "([A-Z][a-z]+) likes ([a-z ]+)\\.", "dish", facts);
  Collect(text, "The best friend of ([A-Z][a-z]+) is ([A-Z][a-z]+)\\.", "friend", facts);
  return facts;
}

/// The facts that a text mentions inside other sentences.
PersonFacts AsidesOf(const std::string& text) {
  PersonFacts facts;
  Collect(text, "One [a-z]+ ([A-Z][a-z]+) of ([A-Za-z ]+) went to", "town", facts);
  Collect(text, "met ([A-Z][a-z]+), the [a-z ]+ from ([A-Za-z ]+)\\.", "town", facts);
  Collect(text, "met ([A-Z][a-z]+), the ([a-z ]+) from", "trade", facts);
  Collect(text, "([A-Z][a-z]+) met ([A-Z][a-z]+), the", "friend", facts);
  Collect(text, "Then ([A-Z][a-z]+) went home to the ([a-z ]+)\\.", "animal", facts);
  return facts;
}

TEST(World, SameSeedSameText) {
  EXPECT_EQ(World(kWorldSeed).Stories(kBytes), World(kWorldSeed).Stories(kBytes));
  EXPECT_NE(World(kWorldSeed).Stories(kBytes), World(kWorldSeed + 1).Stories(kBytes));
  const auto first = World(kWorldSeed).Questions().all, again = World(kWorldSeed).Questions().all,
             other = World(kWorldSeed + 1).Questions().all;
  ASSERT_EQ(first.size(), again.size());
  ASSERT_EQ(first.size(), other.size());
  size_t different = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(PromptOf(first[i]), PromptOf(again[i]));
    EXPECT_EQ(AnswerOf(first[i]), AnswerOf(again[i]));
    different += AnswerOf(first[i]) != AnswerOf(other[i]);
  }
  EXPECT_GT(different, first.size() / 4);  // sums are the same in every world
}

TEST(World, StoriesAreAsLongAsAsked) {
  const World world(kWorldSeed);
  const std::string text = world.Stories(5000);
  EXPECT_GE(text.size(), 5000u);
  EXPECT_LT(text.size(), 6000u);
  EXPECT_EQ(world.Stories(50'000).substr(0, text.size()), text);  // more of the same
}

TEST(World, StoriesDiffer) {
  const std::string text = World(kWorldSeed).Stories(kBytes);
  std::set<std::string> stories;
  size_t count = 0;
  for (size_t begin = 0; begin < text.size(); ++count) {
    const size_t end = text.find("\n\n", begin);
    ASSERT_NE(end, std::string::npos);
    stories.insert(text.substr(begin, end - begin));
    begin = end + 2;
  }
  EXPECT_GT(count, 200u);
  EXPECT_EQ(stories.size(), count);
}

TEST(World, SumsAreRight) {
  std::string text = World(kWorldSeed).Stories(kBytes);
  for (const Sample& sample : World(kWorldSeed).Questions().all) text += AnswerOf(sample) + "\n";
  const std::regex regex("(\\d+) and (\\d+) make (\\d+)\\.");
  int sums = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it, ++sums) {
    EXPECT_EQ(std::stoi((*it)[1]) + std::stoi((*it)[2]), std::stoi((*it)[3])) << it->str();
  }
  EXPECT_GT(sums, 500);
}

TEST(World, StoriesAgreeWithThemselves) {
  const std::string text = World(kWorldSeed).Stories(kBytes);
  PersonFacts facts = FactsOf(text);
  EXPECT_EQ(facts.size(), 130u);  // 26 people with 5 facts each, all told within 100 kB
  for (const auto& [of, words] : AsidesOf(text)) facts[of].insert(words.begin(), words.end());
  EXPECT_EQ(facts.size(), 130u);
  for (const auto& [of, words] : facts) {
    EXPECT_EQ(words.size(), 1u) << of.first << "'s " << of.second;
    EXPECT_FALSE(words.contains(of.first)) << of.first << " is nobody's own friend";
  }
}

TEST(World, AnswersAgreeWithTheStories) {
  const World world(kWorldSeed);
  const PersonFacts told = FactsOf(world.Stories(kBytes));
  // A word of a question that tells which kind of fact it asks for.
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"live?", "town"},    {"town", "town"}, {"trade", "trade"}, {"work", "trade"},
      {"animal", "animal"}, {"eat?", "dish"}, {"dish", "dish"},   {"best friend", "friend"}};
  std::map<std::pair<std::string, std::string>, int> wordings;
  for (const Sample& sample : world.Questions().all) {
    if (AnswerOf(sample).find(" make ") != std::string::npos) continue;
    const PersonFacts answer = FactsOf(AnswerOf(sample));
    ASSERT_EQ(answer.size(), 1u) << AnswerOf(sample);
    const auto& [of, words] = *answer.begin();
    const auto told_of = told.find(of);
    ASSERT_NE(told_of, told.end()) << AnswerOf(sample);
    EXPECT_EQ(words, told_of->second) << AnswerOf(sample);
    EXPECT_NE(PromptOf(sample).find(of.first), std::string::npos) << PromptOf(sample) << AnswerOf(sample);
    std::string asked;
    for (const auto& [word, kind] : kinds) {
      if (PromptOf(sample).find(word) != std::string::npos) asked = kind;
    }
    EXPECT_EQ(asked, of.second) << PromptOf(sample) << AnswerOf(sample);
    ++wordings[of];
  }
  EXPECT_EQ(wordings.size(), 130u);
  for (const auto& [of, count] : wordings) EXPECT_EQ(count, 2) << of.first << "'s " << of.second;
}

TEST(World, SumQuestionsGetTheirOwnSum) {
  const std::regex question("(What is|How much do) (\\d+) (plus|and) (\\d+)( make)?\\?");
  std::set<std::pair<int, int>> sums;
  int count = 0;
  for (const Sample& sample : World(kWorldSeed).Questions().all) {
    std::smatch match;
    if (!std::regex_search(PromptOf(sample), match, question)) continue;
    const int a = std::stoi(match[2]), b = std::stoi(match[4]);
    EXPECT_EQ(AnswerOf(sample),
              std::to_string(a) + " and " + std::to_string(b) + " make " + std::to_string(a + b) + ".");
    sums.insert({a, b});
    ++count;
  }
  EXPECT_EQ(sums.size(), 144u);
  EXPECT_EQ(count, 288);
}

TEST(World, QuestionsAreManyShortAndDifferent) {
  for (const uint64_t seed : {0u, 1u, 2u, 12345u}) {
    std::set<std::string> prompts;
    for (const Sample& sample : World(seed).Questions().all) {
      EXPECT_TRUE(prompts.insert(PromptOf(sample)).second) << PromptOf(sample);
      const std::string text = UserText(SampleKind::kQuestion, sample, models::ChatFormat::kPlain);
      EXPECT_EQ(text, "Question: " + PromptOf(sample) + "\nAnswer: ");
      EXPECT_TRUE(PromptOf(sample).ends_with("?")) << PromptOf(sample);
      EXPECT_LE(text.size() + AnswerOf(sample).size(), 96u) << text << AnswerOf(sample);
    }
    EXPECT_EQ(prompts.size(), 548u);  // two wordings of 26·5 facts and 12·12 sums
  }
}

}  // namespace
}  // namespace ampgrad::train
