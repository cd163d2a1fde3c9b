#include "train/scope.h"

#include <charconv>
#include <stdexcept>

namespace ampgrad::train {
namespace {

// A whole number without a sign; -1 for anything else.
Index Number(std::string_view text) {
  Index value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : -1;
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

std::vector<nn::Matrix*> MatricesInScope(models::LanguageModel& model, const Scope& scope) {
  const Index first = scope.all_layers ? 0 : scope.first, last = scope.all_layers ? model.layers() - 1 : scope.last;
  std::vector<nn::Matrix*> matrices;
  for (Index i = first; i <= last; ++i) {
    const nn::Parts block = model.BlockParts(i);
    matrices.insert(matrices.end(), block.matrices.begin(), block.matrices.end());
  }
  return matrices;
}

}  // namespace ampgrad::train
