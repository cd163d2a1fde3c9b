#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/data/samples.h"

namespace ampgrad::train {

/// A small world of people, places, things and sums: the demo's corpus. Everybody has a home, a trade, an animal, a
/// dish and a friend. Stories repeat these facts, and questions ask for them. So a model can learn the facts from text,
/// and fine-tuning can teach it to answer, also questions that it was not trained on.
class World {
 public:
  explicit World(uint64_t seed);

  /// Stories, at least `bytes` long altogether.
  std::string Stories(size_t bytes) const;
  /// Every question about the world with its answer, each in two wordings.
  Samples Questions() const;

 private:
  struct Person {
    std::string name, town, trade, animal, dish;
    size_t friend_index;
  };

  std::string Sentence(const Person& person, size_t fact) const;
  std::string Story(uint64_t number) const;

  uint64_t seed_;
  std::vector<Person> people_;
};

}  // namespace ampgrad::train
