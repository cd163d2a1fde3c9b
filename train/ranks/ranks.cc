#include "train/ranks/ranks.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tensor/io/json.h"

namespace ampgrad::train {
namespace {

std::unique_ptr<Ranks>& Joined() {
  static std::unique_ptr<Ranks> joined;
  return joined;
}

Facts Parse(const std::string& text) { return nlohmann::json::parse(text).get<Facts>(); }

std::string ValueOf(const Facts& facts, const std::string& name) {
  const auto found = std::ranges::find(facts, name, &Facts::value_type::first);
  return found == facts.end() ? "none" : found->second;
}

}  // namespace

void Ranks::Abort(int code) {
  AbortOthers(code);
  std::_Exit(code);
}

Ranks& Alone() {
  static Ranks alone;
  return alone;
}

Ranks& ProgramRanks() { return Joined() ? *Joined() : Alone(); }

void UseRanks(std::unique_ptr<Ranks> ranks) { Joined() = std::move(ranks); }

Share ShareOf(const Ranks& ranks, int64_t count) {
  return {ranks.rank() * count / ranks.size(), (ranks.rank() + 1) * count / ranks.size()};
}

void RequireSame(Ranks& ranks, const Facts& facts) {
  const auto text = io::JsonText(nlohmann::json(facts));
  const std::vector<std::string> all = ranks.Gather(text);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    const Facts expected = Parse(all[0]), found = Parse(all[rank]);
    for (const Facts* facts : {&expected, &found}) {
      for (const auto& [name, value] : *facts) {
        if (ValueOf(expected, name) == ValueOf(found, name)) continue;
        throw std::runtime_error("rank " + std::to_string(rank) + ": expected " + name + " of rank 0, " +
                                 ValueOf(expected, name) + ", found " + ValueOf(found, name));
      }
    }
  }
}

}  // namespace ampgrad::train
