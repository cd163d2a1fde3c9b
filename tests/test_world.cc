#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "train/world.h"

namespace ampgrad::train {
namespace {

constexpr uint64_t kSeed = 1;
constexpr size_t kBytes = 100'000;

/// {person, kind of fact} → what the text says of it, every different word of it.
using Facts = std::map<std::pair<std::string, std::string>, std::set<std::string>>;

/// Adds all matches of a pattern with the groups person and word.
void Collect(const std::string& text, const std::string& pattern, const std::string& kind, Facts& facts) {
  const std::regex regex(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    facts[{(*it)[1], kind}].insert((*it)[2]);
  }
}

/// What a text tells in plain sentences.
Facts FactsOf(const std::string& text) {
  Facts facts;
  Collect(text, "([A-Z][a-z]+) lives in ([A-Za-z ]+)\\.", "town", facts);
  Collect(text, "([A-Z][a-z]+) is a ([a-z ]+)\\.", "trade", facts);
  Collect(text, "([A-Z][a-z]+) has a ([a-z ]+)\\.", "animal", facts);
  Collect(text, "([A-Z][a-z]+) likes ([a-z ]+)\\.", "dish", facts);
  Collect(text, "The best friend of ([A-Z][a-z]+) is ([A-Z][a-z]+)\\.", "friend", facts);
  return facts;
}

/// What it tells on the side.
Facts AsidesOf(const std::string& text) {
  Facts facts;
  Collect(text, "One [a-z]+ ([A-Z][a-z]+) of ([A-Za-z ]+) went to", "town", facts);
  Collect(text, "met ([A-Z][a-z]+), the [a-z ]+ from ([A-Za-z ]+)\\.", "town", facts);
  Collect(text, "met ([A-Z][a-z]+), the ([a-z ]+) from", "trade", facts);
  Collect(text, "([A-Z][a-z]+) met ([A-Z][a-z]+), the", "friend", facts);
  Collect(text, "Then ([A-Z][a-z]+) went home to the ([a-z ]+)\\.", "animal", facts);
  return facts;
}

TEST(World, SameSeedSameText) {
  EXPECT_EQ(World(kSeed).Stories(kBytes), World(kSeed).Stories(kBytes));
  EXPECT_NE(World(kSeed).Stories(kBytes), World(kSeed + 1).Stories(kBytes));
  const auto first = World(kSeed).Questions(), again = World(kSeed).Questions(), other = World(kSeed + 1).Questions();
  ASSERT_EQ(first.size(), again.size());
  ASSERT_EQ(first.size(), other.size());
  size_t different = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].prompt, again[i].prompt);
    EXPECT_EQ(first[i].completion, again[i].completion);
    different += first[i].completion != other[i].completion;
  }
  EXPECT_GT(different, first.size() / 4);  // sums stay what they are
}

TEST(World, StoriesAreAsLongAsAsked) {
  const World world(kSeed);
  const std::string text = world.Stories(5000);
  EXPECT_GE(text.size(), 5000u);
  EXPECT_LT(text.size(), 6000u);
  EXPECT_EQ(world.Stories(50'000).substr(0, text.size()), text);  // more of the same
}

TEST(World, StoriesDiffer) {
  const std::string text = World(kSeed).Stories(kBytes);
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
  std::string text = World(kSeed).Stories(kBytes);
  for (const Pair& pair : World(kSeed).Questions()) text += pair.completion + "\n";
  const std::regex regex("(\\d+) and (\\d+) make (\\d+)\\.");
  int sums = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it, ++sums) {
    EXPECT_EQ(std::stoi((*it)[1]) + std::stoi((*it)[2]), std::stoi((*it)[3])) << it->str();
  }
  EXPECT_GT(sums, 500);
}

TEST(World, StoriesAgreeWithThemselves) {
  const std::string text = World(kSeed).Stories(kBytes);
  Facts facts = FactsOf(text);
  EXPECT_EQ(facts.size(), 130u);  // 26 people with 5 facts each, all told within 100 kB
  for (const auto& [of, words] : AsidesOf(text)) facts[of].insert(words.begin(), words.end());
  EXPECT_EQ(facts.size(), 130u);
  for (const auto& [of, words] : facts) {
    EXPECT_EQ(words.size(), 1u) << of.first << "'s " << of.second;
    EXPECT_FALSE(words.contains(of.first)) << of.first << " is nobody's own friend";
  }
}

TEST(World, AnswersAgreeWithTheStories) {
  const World world(kSeed);
  const Facts told = FactsOf(world.Stories(kBytes));
  // A word of the question that gives away what it asks for.
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"live?", "town"},    {"town", "town"}, {"trade", "trade"}, {"work", "trade"},
      {"animal", "animal"}, {"eat?", "dish"}, {"dish", "dish"},   {"best friend", "friend"}};
  std::map<std::pair<std::string, std::string>, int> wordings;
  for (const Pair& pair : world.Questions()) {
    if (pair.completion.find(" make ") != std::string::npos) continue;
    const Facts answer = FactsOf(pair.completion);
    ASSERT_EQ(answer.size(), 1u) << pair.completion;
    const auto& [of, words] = *answer.begin();
    const auto told_of = told.find(of);
    ASSERT_NE(told_of, told.end()) << pair.completion;
    EXPECT_EQ(words, told_of->second) << pair.completion;
    EXPECT_NE(pair.prompt.find(of.first), std::string::npos) << pair.prompt << pair.completion;
    std::string asked;
    for (const auto& [word, kind] : kinds) {
      if (pair.prompt.find(word) != std::string::npos) asked = kind;
    }
    EXPECT_EQ(asked, of.second) << pair.prompt << pair.completion;
    ++wordings[of];
  }
  EXPECT_EQ(wordings.size(), 130u);
  for (const auto& [of, count] : wordings) EXPECT_EQ(count, 2) << of.first << "'s " << of.second;
}

TEST(World, SumQuestionsGetTheirOwnSum) {
  const std::regex question("(What is|How much do) (\\d+) (plus|and) (\\d+)( make)?\\?");
  std::set<std::pair<int, int>> sums;
  int count = 0;
  for (const Pair& pair : World(kSeed).Questions()) {
    std::smatch match;
    if (!std::regex_search(pair.prompt, match, question)) continue;
    const int a = std::stoi(match[2]), b = std::stoi(match[4]);
    EXPECT_EQ(pair.completion,
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
    for (const Pair& pair : World(seed).Questions()) {
      EXPECT_TRUE(prompts.insert(pair.prompt).second) << pair.prompt;
      EXPECT_EQ(pair.prompt.rfind("Question: ", 0), 0u) << pair.prompt;
      EXPECT_TRUE(pair.prompt.ends_with("?\nAnswer: ")) << pair.prompt;
      EXPECT_LE(pair.prompt.size() + pair.completion.size(), 96u) << pair.prompt << pair.completion;
    }
    EXPECT_EQ(prompts.size(), 548u);  // two wordings of 26·5 facts and 12·12 sums
  }
}

}  // namespace
}  // namespace ampgrad::train
