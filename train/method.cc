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
  models::SetTrainable(model, false);
  auto matrices = settings.scope.all_layers ? model.Parts().matrices : MatricesInScope(model, settings.scope);
  if (settings.scope.head) std::erase(matrices, &model.HeadMatrix());  // it trains itself, without scores
  const auto truncated = std::make_shared<const ct::Basis>(ct::Truncated(*basis, settings.k));
  ct::UseAmplitude(ct::SelectRows(matrices, model.width(), settings.rows), truncated, settings.start, settings.chain);
}

struct Method {
  const char* name;
  bool needs_basis;
  PrepareFn prepare;
};
constexpr Method kMethods[] = {{"full", false, PrepareFull}, {"amplitude", true, PrepareAmplitude}};

const Method& FindMethod(const std::string& name) {
  const auto method = std::ranges::find(kMethods, name, &Method::name);
  if (method != std::end(kMethods)) return *method;
  std::string names;
  for (const std::string& known : MethodNames()) names += (names.empty() ? "" : ", ") + known;
  throw std::invalid_argument("[method] expected one of " + names + ", found '" + name + "'");
}

}  // namespace

bool MethodSettings::NeedsBasis() const { return FindMethod(method).needs_basis; }

std::string MethodSettings::Label() const {
  if (!NeedsBasis()) return method;
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
  for (const Method& method : kMethods) names.push_back(method.name);
  return names;
}

void Prepare(models::LanguageModel& model, const MethodSettings& settings,
             const std::shared_ptr<const ct::Basis>& basis) {
  const Method& method = FindMethod(settings.method);
  if (method.needs_basis && !basis) {
    throw std::invalid_argument("[method] " + settings.method + " needs a basis");
  }
  method.prepare(model, settings, basis);
  if (settings.scope.head) model.HeadMatrix().MakeTrainable();
}

}  // namespace ampgrad::train
