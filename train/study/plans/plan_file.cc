#include "train/study/plans/plan_file.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tensor/io/text_file.h"
#include "train/freezing.h"

namespace ampgrad::train {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kMost = 1'000'000'000;
const std::vector<std::string> kArmKinds = {"method", "rebuilt", "mean row", "layers removed"};

// The value, which is one of `words`.
std::string ReadWord(const io::JsonValue& value, const std::vector<std::string>& words) {
  const std::string word = value.StringOr("");
  if (std::ranges::find(words, word) != words.end()) return word;
  std::string list;
  for (const std::string& known : words) list += (list.empty() ? "" : ", ") + known;
  value.Fail("one of " + list);
}

ArmKind ReadKind(const io::JsonValue& value) {
  return static_cast<ArmKind>(std::ranges::find(kArmKinds, ReadWord(value, kArmKinds)) - kArmKinds.begin());
}

std::vector<std::string> ReadStrings(const io::JsonValue& list) {
  std::vector<std::string> strings;
  for (const io::JsonValue& item : list.Items()) strings.push_back(item.NonEmptyString());
  return strings;
}

void RefuseOtherKeys(const io::JsonValue& json, const ordered_json& known, const char* of) {
  if (!json.json().is_object()) json.Fail("an object");
  for (const auto& item : json.json().items()) {
    if (known.contains(item.key())) continue;
    json.Field(item.key()).Fail(std::string("absent, as ") + of + " has no such key");
  }
}

std::string LayersText(const Scope& scope) {
  if (scope.all_layers) return "all";
  return scope.last < scope.first ? "none" : std::to_string(scope.first) + "-" + std::to_string(scope.last);
}

ordered_json ScopeJson(const Scope& scope) {
  return {{"layers", LayersText(scope)}, {"targets", scope.targets}, {"head", scope.head}};
}

// Layers of a model that has `layers` of them.
void SetLayers(const io::JsonValue& value, Index layers, Scope& scope) {
  Scope found;
  const std::string& word = value.String();
  if (word == "none" || word == "0--1") {  // as older files say it
    found = {.all_layers = false, .first = 0, .last = -1};
  } else {
    try {
      found = ParseLayers(word, layers);
    } catch (const std::exception&) {
      value.Fail("all, none, last:N, A-B or A, of " + std::to_string(layers) + " layers counted from 0");
    }
  }
  scope.all_layers = found.all_layers;
  scope.first = found.first;
  scope.last = found.last;
}

Scope ReadScope(const io::JsonValue& json, Scope scope) {
  RefuseOtherKeys(json, ScopeJson({}), "a scope");
  if (json.Has("layers")) SetLayers(json.Field("layers"), kMost, scope);
  if (json.Has("targets")) scope.targets = ReadStrings(json.Field("targets"));
  scope.head = json.Field("head").BooleanOr(scope.head);
  return scope;
}

double NumberOr(const io::JsonValue& value, double otherwise) { return value.null() ? otherwise : value.Number(); }

void ReadMethod(const io::JsonValue& json, MethodSettings& m) {
  if (json.Has("method")) m.method = ReadWord(json.Field("method"), MethodNames());
  m.k = json.Field("k").IntegerOr(m.k, 0, kMost);
  if (json.Has("start")) m.start = ct::ParseStart(ReadWord(json.Field("start"), {"exact", "reconstructed"}));
  if (json.Has("basis")) m.basis = ct::ParseBasisKind(ReadWord(json.Field("basis"), ct::BasisKindNames()));
  m.rank = json.Field("rank").IntegerOr(m.rank, 0, kMost);
  if (json.Has("factors")) m.factors = ParseFactors(ReadWord(json.Field("factors"), FactorNames()));
  m.share = NumberOr(json.Field("share"), m.share);
  if (json.Has("chain")) m.chain = nn::ParseChain(ReadWord(json.Field("chain"), {"explicit", "factored"}));
  if (json.Has("rows")) m.rows = ct::ParseRowsPolicy(ReadWord(json.Field("rows"), ct::RowsPolicyNames()));
  if (json.Has("scope")) m.scope = ReadScope(json.Field("scope"), m.scope);
}

// What an arm of this kind is unless its object says otherwise.
Arm DefaultArm(const io::JsonValue& json, const std::string& group, const PlanSettings& settings) {
  Arm arm;
  arm.groups = {group};
  arm.method.scope = settings.scope;
  arm.method.chain = settings.chain;
  arm.method.rows = settings.rows;
  if (json.Has("kind")) arm.kind = ReadKind(json.Field("kind"));
  if (arm.kind == ArmKind::kMethod && !json.Has("method")) ReadWord(json.Field("method"), MethodNames());
  if (arm.kind == ArmKind::kMeanRow) {
    arm.method.method = "amplitude";
    arm.method.start = ct::Start::kReconstructed;
  }
  return arm;
}

std::string NameOf(const Arm& arm) {
  switch (arm.kind) {
    case ArmKind::kMethod:
      return arm.method.Label();
    case ArmKind::kRebuilt:
      return "full, rebuilt K=" + std::to_string(arm.method.k);
    case ArmKind::kMeanRow:
      return "mean row alone";
    case ArmKind::kLayersRemoved:
      return "layers removed";
  }
  return "";
}

// Throws for a K or a basis with which the arm would not be what its name says.
void CheckMethod(const io::JsonValue& json, const Arm& arm, Index width) {
  const MethodSettings& m = arm.method;
  const bool has_k = arm.kind == ArmKind::kRebuilt || (arm.kind == ArmKind::kMethod && m.method == "amplitude");
  if (has_k && (m.k < 1 || m.k > width)) json.Field("k").Fail("1.." + std::to_string(width) + ", the model's width");
  if (arm.kind == ArmKind::kMeanRow && (m.method != "amplitude" || m.k != 0)) {
    json.Fail("a mean row alone to have the method amplitude and k 0", m.method + " and " + std::to_string(m.k));
  }
  if (m.basis == ct::BasisKind::kLeft && m.start == ct::Start::kReconstructed) {
    json.Field("basis").Fail("one with a start reconstructed, which left singular vectors have not");
  }
  if (m.rank < 1) json.Field("rank").Fail("1 or more");
  if (!(m.share > 0 && m.share <= 1)) json.Field("share").Fail("a share over 0, of at most 1");
}

// The names of other arms must be those of the plan, and lead to a rate at once: in a circle nobody has one.
void CheckNames(const io::JsonValue& list, const std::vector<Arm>& arms) {
  for (size_t i = 0; i < arms.size(); ++i) {
    if (&*std::ranges::find(arms, arms[i].name, &Arm::name) != &arms[i]) {
      list.Fail("each name once", "'" + arms[i].name + "' again in [" + std::to_string(i) + "]");
    }
    for (const auto& [key, name] : {std::pair{"norm_of", arms[i].norm_of}, {"rate_of", arms[i].rate_of}}) {
      const auto other = std::ranges::find(arms, name, &Arm::name);
      const bool own = other != arms.end() && other->rate_of.empty() && other->norm_of.empty();
      if (!name.empty() && !own) list.Item(i).Field(key).Fail("the name of an arm of the plan with a rate of its own");
    }
  }
}

}  // namespace

ordered_json ToJson(const Arm& arm) {
  const MethodSettings& m = arm.method;
  return {{"name", arm.name},
          {"groups", arm.groups},
          {"kind", kArmKinds[static_cast<size_t>(arm.kind)]},
          {"steps", arm.steps},
          {"samples", arm.samples},
          {"fixed_lr", arm.fixed_lr},
          {"rates", arm.rates},
          {"rate_of", arm.rate_of},
          {"norm_of", arm.norm_of},
          {"freeze", arm.freeze},
          {"summary", arm.summary},
          {"method", m.method},
          {"k", m.k},
          {"start", ct::ToString(m.start)},
          {"basis", ct::ToString(m.basis)},
          {"rank", m.rank},
          {"factors", ToString(m.factors)},
          {"share", m.share},
          {"chain", nn::ToString(m.chain)},
          {"rows", ct::ToString(m.rows)},
          {"scope", ScopeJson(m.scope)}};
}

Arm ReadArm(const io::JsonValue& json, const Arm& otherwise) {
  RefuseOtherKeys(json, ToJson(Arm{}), "an arm");
  Arm arm = otherwise;
  arm.name = json.Field("name").StringOr(arm.name);
  if (json.Has("groups")) arm.groups = ReadStrings(json.Field("groups"));
  if (json.Has("kind")) arm.kind = ReadKind(json.Field("kind"));
  arm.steps = json.Field("steps").IntegerOr(arm.steps, 0, kMost);
  arm.samples = json.Field("samples").IntegerOr(arm.samples, 0, kMost);
  arm.fixed_lr = NumberOr(json.Field("fixed_lr"), arm.fixed_lr);
  if (!(arm.fixed_lr >= 0 && std::isfinite(arm.fixed_lr))) json.Field("fixed_lr").Fail("a rate, or 0 for a search");
  if (json.Has("rates")) {
    arm.rates.clear();
    for (const io::JsonValue& rate : json.Field("rates").Items()) arm.rates.push_back(rate.Positive());
  }
  arm.rate_of = json.Field("rate_of").StringOr(arm.rate_of);
  arm.norm_of = json.Field("norm_of").StringOr(arm.norm_of);
  if (!json.Field("freeze").StringOr("").empty()) arm.freeze = ReadWord(json.Field("freeze"), FreezeOrders());
  arm.summary = json.Field("summary").BooleanOr(arm.summary);
  ReadMethod(json, arm.method);
  return arm;
}

std::vector<Arm> ReadPlan(const std::filesystem::path& file, models::LanguageModel& model,
                          const PlanSettings& settings) {
  const nlohmann::json json = io::ParseJson(io::ReadTextFile(file), file.string());
  const io::JsonValue list(json, file.string());
  std::vector<Arm> arms;
  for (const io::JsonValue& item : list.Items()) {
    Arm arm = ReadArm(item, DefaultArm(item, file.stem().string(), settings));
    if (item.Has("scope")) {
      const io::JsonValue scope = item.Field("scope");
      if (scope.Has("layers")) SetLayers(scope.Field("layers"), model.layers(), arm.method.scope);
      try {
        arm.method.scope.targets = ParseTargets(arm.method.scope.targets, model);
      } catch (const std::runtime_error&) {
        scope.Field("targets").Fail("names of matrices of the model");
      }
    }
    CheckMethod(item, arm, model.width());
    if (arm.name.empty()) arm.name = NameOf(arm);
    arms.push_back(std::move(arm));
  }
  if (arms.empty()) list.Fail("a list of arms, of which there is one at least", "none");
  CheckNames(list, arms);
  return arms;
}

}  // namespace ampgrad::train
