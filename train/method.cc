#include "train/method.h"

#include <algorithm>
#include <stdexcept>

#include "train/report/format.h"

namespace ampgrad::train {
namespace {

using PrepareFn = void (*)(models::LanguageModel& model, const MethodSettings& settings,
                           const std::shared_ptr<const ct::Basis>& basis);

void PrepareFull(models::LanguageModel& model, const MethodSettings& settings,
                 const std::shared_ptr<const ct::Basis>&) {
  models::SetTrainable(model, settings.scope.all_layers);
  if (settings.scope.all_layers) return;
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) matrix->MakeTrainable();
}

void PrepareAmplitude(models::LanguageModel& model, const MethodSettings& settings,
                      const std::shared_ptr<const ct::Basis>& basis) {
  if (!basis) throw std::invalid_argument("[method] amplitude needs a basis");
  models::SetTrainable(model, false);
  auto matrices = settings.scope.all_layers ? model.Parts().matrices : MatricesInScope(model, settings.scope);
  if (settings.scope.head) std::erase(matrices, &model.HeadMatrix());  // it trains itself, without scores
  const auto truncated = std::make_shared<const ct::Basis>(ct::Truncated(*basis, settings.k));
  ct::UseAmplitude(ct::SelectRows(matrices, model.width(), settings.rows), truncated, settings.start, settings.chain);
}

struct MethodEntry {
  const char* name;
  PrepareFn prepare;
};
constexpr MethodEntry kMethods[] = {{"full", PrepareFull}, {"amplitude", PrepareAmplitude}};

}  // namespace

std::string MethodSettings::Label() const {
  if (method != "amplitude") return method;
  return std::string(ct::ToString(start)) + " K=" + std::to_string(k);
}

std::string Describe(const ct::Basis& basis, const std::vector<ct::RowSource>& sources) {
  return report::Format(
      "universal basis: K = %lld of %lld rows of width %lld, variance captured %.4f, R² %.4f, PR %.1f",
      static_cast<long long>(basis.k()), static_cast<long long>(basis.rows), static_cast<long long>(basis.width()),
      ct::VarianceCaptured(basis), ct::RSquared(sources, basis), ct::ParticipationRatio(basis.eigenvalues));
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const MethodEntry& entry : kMethods) names.push_back(entry.name);
  return names;
}

void Prepare(models::LanguageModel& model, const MethodSettings& settings,
             const std::shared_ptr<const ct::Basis>& basis) {
  const auto entry = std::ranges::find(kMethods, settings.method, &MethodEntry::name);
  if (entry == std::end(kMethods)) {
    std::string names;
    for (const std::string& name : MethodNames()) names += (names.empty() ? "" : ", ") + name;
    throw std::invalid_argument("[method] expected one of " + names + ", found '" + settings.method + "'");
  }
  entry->prepare(model, settings, basis);
  if (settings.scope.head) model.HeadMatrix().MakeTrainable();
}

}  // namespace ampgrad::train
