#include "train/data/world.h"

#include <array>

#include "tensor/random.h"

namespace ampgrad::train {
namespace {

constexpr std::array kNames = {"Anna",  "Bela",  "Carl", "Dora", "Emil",   "Fanny", "Gustav", "Hanna", "Igor",
                               "Julia", "Karin", "Lars", "Mona", "Nils",   "Olga",  "Peter",  "Quinn", "Rosa",
                               "Sven",  "Tilda", "Ulf",  "Vera", "Walter", "Xenia", "Yara",   "Zoltan"};
constexpr std::array kTowns = {"Lund", "Bergen", "Riga", "Graz", "Pisa", "Porto", "Ghent", "Krakow"};
constexpr std::array kTrades = {"baker", "miller", "smith", "doctor", "teacher", "sailor", "painter", "farmer"};
constexpr std::array kAnimals = {"black cat", "grey horse", "white goat", "brown dog", "green parrot", "red hen"};
constexpr std::array kDishes = {"plum cake", "fish soup", "rye bread", "apple pie", "onion tart", "hot beans"};
constexpr std::array kPlaces = {"market", "harbour", "bridge", "mill", "old church", "park"};
constexpr std::array kTimes = {"morning", "noon", "evening", "night"};
constexpr Index kLargestAddend = 12;
constexpr size_t kFacts = 5;

constexpr uint64_t kPeopleStream = 1;
constexpr uint64_t kStoryStream = 1000;  // + number of the story

// Draws numbers from one stream, one after another.
class Dice {
 public:
  Dice(uint64_t seed, uint64_t stream) : random_(seed, stream) {}
  Index Below(Index bound) { return random_.Below(next_++, bound); }
  template <class Array>
  auto Pick(const Array& array) {
    return array[static_cast<size_t>(Below(static_cast<Index>(array.size())))];
  }

 private:
  Random random_;
  uint64_t next_ = 0;
};

std::string Sum(Index a, Index b) {
  return std::to_string(a) + " and " + std::to_string(b) + " make " + std::to_string(a + b) + ".";
}

}  // namespace

World::World(uint64_t seed) : seed_(seed) {
  Dice dice(seed, kPeopleStream);
  for (size_t i = 0; i < kNames.size(); ++i) {
    const size_t other =
        (i + 1 + static_cast<size_t>(dice.Below(static_cast<Index>(kNames.size()) - 1))) % kNames.size();
    people_.push_back(
        {kNames[i], dice.Pick(kTowns), dice.Pick(kTrades), dice.Pick(kAnimals), dice.Pick(kDishes), other});
  }
}

std::string World::Sentence(const Person& p, size_t fact) const {
  switch (fact) {
    case 0:
      return p.name + " lives in " + p.town + ".";
    case 1:
      return p.name + " is a " + p.trade + ".";
    case 2:
      return p.name + " has a " + p.animal + ".";
    case 3:
      return p.name + " likes " + p.dish + ".";
    default:
      return "The best friend of " + p.name + " is " + people_[p.friend_index].name + ".";
  }
}

std::string World::Story(uint64_t number) const {
  Dice dice(seed_, kStoryStream + number);
  const Person& p = dice.Pick(people_);
  const Person& met = people_[p.friend_index];
  std::string story = std::string("One ") + dice.Pick(kTimes) + " " + p.name + " of " + p.town + " went to the " +
                      dice.Pick(kPlaces) + ". ";
  for (int i = 0; i < 3; ++i) story += Sentence(p, static_cast<size_t>(dice.Below(kFacts))) + " ";
  story += p.name + " met " + met.name + ", the " + met.trade + " from " + met.town + ". ";
  story += Sentence(met, static_cast<size_t>(dice.Below(kFacts))) + " ";
  const Index a = 1 + dice.Below(kLargestAddend), b = 1 + dice.Below(kLargestAddend);
  story += met.name + " said: " + Sum(a, b) + " ";
  story += dice.Below(2) ? "Then they ate " + p.dish + " together."
                         : "Then " + p.name + " went home to the " + p.animal + ".";
  return story + "\n\n";
}

std::string World::Stories(size_t bytes) const {
  std::string text;
  for (uint64_t number = 0; text.size() < bytes; ++number) text += Story(number);
  return text;
}

Samples World::Questions() const {
  Samples samples{SampleKind::kQuestion, {}};
  const auto ask = [&](const std::string& question, const std::string& answer) {
    samples.all.push_back(MakeSample(question, answer));
  };
  for (const Person& p : people_) {
    ask("Where does " + p.name + " live?", Sentence(p, 0));
    ask("In which town is the home of " + p.name + "?", Sentence(p, 0));
    ask("What is the trade of " + p.name + "?", Sentence(p, 1));
    ask("What work does " + p.name + " do?", Sentence(p, 1));
    ask("Which animal does " + p.name + " have?", Sentence(p, 2));
    ask("What animal belongs to " + p.name + "?", Sentence(p, 2));
    ask("What does " + p.name + " like to eat?", Sentence(p, 3));
    ask("Which dish does " + p.name + " like?", Sentence(p, 3));
    ask("Who is the best friend of " + p.name + "?", Sentence(p, 4));
    ask("Whom does " + p.name + " call a best friend?", Sentence(p, 4));
  }
  for (Index a = 1; a <= kLargestAddend; ++a) {
    for (Index b = 1; b <= kLargestAddend; ++b) {
      ask("What is " + std::to_string(a) + " plus " + std::to_string(b) + "?", Sum(a, b));
      ask("How much do " + std::to_string(a) + " and " + std::to_string(b) + " make?", Sum(a, b));
    }
  }
  return samples;
}

}  // namespace ampgrad::train
