#include "train/methods/method.h"

#include <algorithm>
#include <stdexcept>

#include "train/methods/prepare.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

using PrepareFn = void (*)(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);

struct Method {
  const char* name;
  double rate;  // peak learning rate by default
  bool has_rank;
  PrepareFn prepare;
};
constexpr Method kMethods[] = {
    {"full", 3e-4, false, PrepareFull},     {"amplitude", 1e-2, false, PrepareAmplitude},
    {"lora", 1e-3, true, PrepareLora},      {"lora-fa", 1e-2, true, PrepareLoraFa},
    {"pissa", 3e-4, true, PreparePissa},    {"dora", 1e-3, true, PrepareDora},
    {"sparse", 3e-3, false, PrepareSparse}, {"core", 1e-2, true, PrepareCore},
    {"vera", 1e-2, true, PrepareVera},      {"norms", 3e-3, false, PrepareNorms},
};

const Method& FindMethod(const std::string& name) {
  const auto method = std::ranges::find(kMethods, name, &Method::name);
  if (method != std::end(kMethods)) return *method;
  std::string names;
  for (const std::string& known : MethodNames()) names += (names.empty() ? "" : ", ") + known;
  throw std::invalid_argument("[method] expected one of " + names + ", found '" + name + "'");
}

}  // namespace

std::vector<std::string> FactorNames() { return {"default", "gaussian", "orthonormal", "top", "minor", "basis"}; }

std::string ToString(FactorSource factors) { return FactorNames().at(static_cast<size_t>(factors)); }

FactorSource ParseFactors(const std::string& word) {
  const std::vector<std::string> names = FactorNames();
  const auto found = std::ranges::find(names, word);
  if (found == names.end()) throw std::invalid_argument("[factors] expected a source of factors, found '" + word + "'");
  return static_cast<FactorSource>(found - names.begin());
}

bool MethodSettings::NeedsBasis() const {
  if (FindMethod(method).has_rank) return factors == FactorSource::kBasis;
  return method == "amplitude" && basis != ct::BasisKind::kLeft;
}

std::string MethodSettings::Label() const {
  if (FindMethod(method).has_rank) return method + " r=" + std::to_string(rank);
  if (method != "amplitude") return method;
  const bool universal = basis == ct::BasisKind::kUniversal;
  return std::string(ct::ToString(start)) + " K=" + std::to_string(k) + (universal ? "" : " " + ct::ToString(basis));
}

std::string Describe(const ct::Basis& basis, const std::vector<ct::RowSource>& sources, ct::BasisKind kind) {
  if (basis.rows == 0) {
    return report::Format("given basis: K = %lld of width %lld, R² %.4f", static_cast<long long>(basis.k()),
                          static_cast<long long>(basis.width()), ct::RSquared(sources, basis));
  }
  const std::string captured =
      kind == ct::BasisKind::kUniversal ? report::Format(", variance captured %.4f", ct::VarianceCaptured(basis)) : "";
  return ct::ToString(kind) +
         report::Format(" basis: K = %lld of %lld rows of width %lld", static_cast<long long>(basis.k()),
                        static_cast<long long>(basis.rows), static_cast<long long>(basis.width())) +
         captured +
         report::Format(", R² %.4f, PR %.1f", ct::RSquared(sources, basis), ct::ParticipationRatio(basis.eigenvalues));
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const Method& method : kMethods) names.push_back(method.name);
  return names;
}

double DefaultRate(const std::string& method) { return FindMethod(method).rate; }

void Prepare(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  const Method& method = FindMethod(settings.method);
  if (settings.NeedsBasis() && bases.empty()) {
    throw std::invalid_argument("[method] " + settings.method + " needs a basis");
  }
  models::SetTrainable(model, false);
  method.prepare(model, settings, bases);
  SetDropout(model, settings.dropout);
  if (settings.scope.head) model.HeadMatrix().MakeTrainable();
}

}  // namespace ampgrad::train
