#include "ct/adapter/peft_modules.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "ct/adapter/peft_config.h"
#include "ct/adapter/peft_names.h"

namespace ampgrad::ct {
namespace {

using nlohmann::json;
using Modules = std::set<std::string>;

// Where a module of a layer stands: "model.layers.3.self_attn.q_proj" is "self_attn.q_proj" in layer 3 of "layers".
struct Place {
  std::string list;
  Index layer;
  std::string within;
};

// The model's modules, and how they can be named.
class ModuleNames {
 public:
  ModuleNames(const nn::Parts& parts, const std::string& prefix) : prefix_(prefix) {
    for (const nn::Matrix* matrix : parts.matrices) kind_of_[PeftModule(matrix->name, prefix)] = matrix->kind;
    for (const Param* vector : parts.vectors) kind_of_.try_emplace(PeftModule(vector->name, prefix), std::nullopt);
  }

  // Nothing for a module that is not in a layer.
  std::optional<Place> PlaceOf(const std::string& module) const {
    const std::string path = module.starts_with(prefix_) ? module.substr(prefix_.size()) : module;
    const size_t first = path.find('.'), second = path.find('.', first + 1);
    if (first == path.npos || second == path.npos) return std::nullopt;
    const std::string layer = path.substr(first + 1, second - first - 1);
    if (layer.find_first_not_of("0123456789") != layer.npos) return std::nullopt;
    return Place{path.substr(0, first), std::stoll(layer), path.substr(second + 1)};
  }

  // The modules by the ends of their paths that say where in a layer they stand; those in no layer by their paths.
  Modules Ends(const Modules& modules) const {
    Modules ends;
    for (const std::string& module : modules) {
      const std::optional<Place> place = PlaceOf(module);
      ends.insert(place ? ShortestEnd(place->within) : module);
    }
    return ends;
  }

  // Whether a configuration names these modules and no other.
  bool AreThoseOf(const json& config, const Modules& updated, const Modules& replaced) const {
    const PeftConfig read(config.dump(), kPeftConfig);
    return std::ranges::all_of(kind_of_, [&](const auto& entry) {
      const auto& [module, kind] = entry;
      const bool updates = kind && read.Updates(module, *kind);
      return updates == updated.contains(module) && read.Replaces(module) == replaced.contains(module);
    });
  }

 private:
  // The shortest end of `within`, in whole names, that no module of another place has.
  std::string ShortestEnd(const std::string& within) const {
    size_t start = within.rfind('.') + 1;
    while (start > 0 && IsElsewhere("." + within.substr(start), within)) start = within.rfind('.', start - 2) + 1;
    return within.substr(start);
  }
  bool IsElsewhere(const std::string& end, const std::string& within) const {
    return std::ranges::any_of(kind_of_, [&](const auto& entry) {
      const std::optional<Place> place = PlaceOf(entry.first);
      return entry.first.ends_with(end) && !(place && place->within == within);
    });
  }

  std::string prefix_;
  std::map<std::string, std::optional<nn::MatrixKind>> kind_of_;  // by module; no kind where there is no matrix
};

}  // namespace

void NameModules(const Modules& updated, const Modules& replaced, const nn::Parts& parts,
                 const std::string& checkpoint_prefix, json& config) {
  const ModuleNames names(parts, checkpoint_prefix);
  std::set<Index> layers;
  json list;  // null
  for (const std::string& module : updated) {
    const std::optional<Place> place = names.PlaceOf(module);
    if (!place) continue;
    layers.insert(place->layer);
    list = place->list;
  }
  const json layers_or_null = layers.empty() ? json() : json(layers);
  const json targets[] = {
      {{"target_modules", names.Ends(updated)}, {"layers_to_transform", nullptr}, {"layers_pattern", nullptr}},
      {{"target_modules", names.Ends(updated)}, {"layers_to_transform", layers_or_null}, {"layers_pattern", list}},
      {{"target_modules", updated}, {"layers_to_transform", nullptr}, {"layers_pattern", nullptr}}};
  for (const Modules& saved : {names.Ends(replaced), replaced}) {
    config["modules_to_save"] = saved.empty() ? json() : json(saved);
    for (const json& target : targets) {
      config.update(target);
      if (names.AreThoseOf(config, updated, replaced)) return;
    }
  }
}

}  // namespace ampgrad::ct
