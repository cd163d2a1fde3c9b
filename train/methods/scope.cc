#include "train/methods/scope.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace ampgrad::train {
namespace {

// A whole number without a sign; -1 for anything else.
Index Number(std::string_view text) {
  Index value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : -1;
}

// Whether the name of a matrix, without ".weight", is `target` or ends with it after a dot.
bool IsTarget(std::string_view name, const std::string& target) {
  constexpr std::string_view kWeight = ".weight";
  if (name.ends_with(kWeight)) name.remove_suffix(kWeight.size());
  return name == target || name.ends_with("." + target);
}

// The last parts of the names, each once: "q_proj, k_proj, …".
std::string KindsOf(const std::vector<nn::Matrix*>& matrices) {
  std::vector<std::string> kinds;
  for (const nn::Matrix* matrix : matrices) {
    const std::string name = matrix->name.substr(0, matrix->name.rfind('.')), kind = name.substr(name.rfind('.') + 1);
    if (std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(kind);
  }
  std::string text;
  for (const std::string& kind : kinds) text += (text.empty() ? "" : ", ") + kind;
  return text;
}

}  // namespace

Scope ParseLayers(const std::string& word, Index layers) {
  if (word == "all") return {};
  Scope scope{false, -1, -1};
  constexpr std::string_view kLast = "last:";
  const size_t dash = word.find('-');
  if (word.starts_with(kLast)) {
    const Index count = Number(std::string_view(word).substr(kLast.size()));
    if (count > 0) scope.first = layers - count, scope.last = layers - 1;
    if (count > layers) {
      throw std::runtime_error("--layers " + word + ": the model has " + std::to_string(layers) + " layers");
    }
  } else {
    scope.first = Number(word.substr(0, dash));
    scope.last = dash == std::string::npos ? scope.first : Number(word.substr(dash + 1));
  }
  if (scope.first < 0 || scope.last < scope.first) {
    throw std::invalid_argument("--layers: expected all, last:N, A-B or A, found '" + word + "'");
  }
  if (scope.last >= layers) {
    throw std::runtime_error("--layers " + word + ": expected layers 0 to " + std::to_string(layers - 1) +
                             ", as the model has");
  }
  return scope;
}

std::vector<std::string> ParseTargets(const std::vector<std::string>& words, models::LanguageModel& model) {
  constexpr std::pair<const char*, const char*> kShort[] = {
      {"q", "q_proj"},       {"k", "k_proj"},   {"v", "v_proj"},      {"o", "o_proj"},
      {"gate", "gate_proj"}, {"up", "up_proj"}, {"down", "down_proj"}};
  const std::vector<nn::Matrix*> matrices = MatricesInScope(model, {});
  std::vector<std::string> targets;
  for (std::string word : words) {
    for (const auto& [from, to] : kShort) {
      if (word == from) word = to;
    }
    if (std::ranges::none_of(matrices, [&](const nn::Matrix* matrix) { return IsTarget(matrix->name, word); })) {
      throw std::runtime_error("--targets: expected matrices of the model, such as " + KindsOf(matrices) + ", found '" +
                               word + "'");
    }
    targets.push_back(word);
  }
  return targets;
}

std::vector<nn::Matrix*> MatricesInScope(models::LanguageModel& model, const Scope& scope) {
  const Index first = scope.all_layers ? 0 : scope.first, last = scope.all_layers ? model.layers() - 1 : scope.last;
  std::vector<nn::Matrix*> matrices;
  for (Index i = first; i <= last; ++i) {
    const nn::Parts block = model.BlockParts(i);
    std::ranges::copy_if(block.matrices, std::back_inserter(matrices), [&](const nn::Matrix* matrix) {
      return scope.targets.empty() ||
             std::ranges::any_of(scope.targets, [&](const auto& target) { return IsTarget(matrix->name, target); });
    });
  }
  return matrices;
}

}  // namespace ampgrad::train
