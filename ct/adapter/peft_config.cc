#include "ct/adapter/peft_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "tensor/io/json.h"

namespace ampgrad::ct {
namespace {

using io::JsonValue;

constexpr Index kMaxRank = 1 << 20;

// The keys that are read, and those that tell only how an adapter was trained, or what for. fan_in_fan_out is among the
// latter: it tells how the base stores its matrices, which the model knows.
const std::set<std::string> kRead = {"peft_type",
                                     "task_type",
                                     "bias",
                                     "r",
                                     "lora_alpha",
                                     "use_rslora",
                                     "use_dora",
                                     "target_modules",
                                     "exclude_modules",
                                     "rank_pattern",
                                     "alpha_pattern",
                                     "layers_to_transform",
                                     "layers_pattern",
                                     "modules_to_save",
                                     "init_lora_weights"};
const std::set<std::string> kWithoutEffect = {
    "auto_mapping",   "base_model_name_or_path", "revision",       "inference_mode",   "peft_version",
    "lora_dropout",   "megatron_core",           "loftq_config",   "eva_config",       "corda_config",
    "runtime_config", "lora_ga_config",          "fan_in_fan_out", "qalora_group_size"};

bool IsOff(const nlohmann::json& value) {
  return value.is_null() || value == false || value == "" || (value.is_structured() && value.empty());
}

void RefuseOtherMeanings(const JsonValue& config) {
  const JsonValue type = config.Field("peft_type"), task = config.Field("task_type"), bias = config.Field("bias");
  if (type.StringOr("") != "LORA") type.Fail("\"LORA\"");
  if (task.StringOr("CAUSAL_LM") != "CAUSAL_LM") task.Fail("\"CAUSAL_LM\"");
  if (bias.StringOr("none") != "none") bias.Fail("\"none\"");
  for (const auto& [key, value] : config.json().items()) {
    if (kRead.contains(key) || kWithoutEffect.contains(key) || IsOff(value)) continue;
    config.Field(key).Fail("null, false or empty, as nothing else is supported");
  }
  // Other starts take their factors away from the base, and the adapter is one over what is left.
  const std::set<nlohmann::json> starts = {nullptr, true, false, "gaussian", "orthogonal", "eva", "mica"};
  const JsonValue start = config.Field("init_lora_weights");
  if (!starts.contains(start.json())) start.Fail("a start that leaves the base as it is, such as true or \"gaussian\"");
}

std::vector<std::string> ReadNames(const JsonValue& list) {
  std::vector<std::string> names;
  if (list.null()) return names;
  for (const JsonValue name : list.Items()) names.push_back(name.NonEmptyString());
  return names;
}

// The pattern before + written + after, where `written` stands in the value of `key`.
NamePattern ReadPattern(const JsonValue& config, const std::string& key, const std::string& written,
                        const std::string& before = "", const std::string& after = "") {
  try {
    return NamePattern(before + written + after);
  } catch (const std::invalid_argument& error) {
    config.Fail(key + " to have simple regular expressions", JsonValue::Shown(written) + ", where " + error.what());
  }
}

ModuleRule ReadModules(const JsonValue& config, const std::string& key) {
  const JsonValue value = config.Field(key);
  if (!value.json().is_string()) return {std::nullopt, ReadNames(value)};
  return {ReadPattern(config, key, value.NonEmptyString()), {}};
}

// The exceptions `key` to a number. The first that matches counts, so their order in the text matters; `ordered` is the
// same file in that order.
NumberRule ReadNumbers(const JsonValue& config, const nlohmann::ordered_json& ordered, double number,
                       const std::string& key, double (*read)(const JsonValue&)) {
  NumberRule rule{number, {}};
  const JsonValue exceptions = config.Field(key);
  if (exceptions.null()) return rule;
  if (!exceptions.json().is_object()) exceptions.Fail("an object");
  for (const auto& [written, value] : ordered.at(key).items()) {
    const double other = read(exceptions.Field(written));
    rule.exceptions.emplace_back(ReadPattern(config, key, written, "(.*\\.)?(", ")"), other);
  }
  return rule;
}

double ReadRank(const JsonValue& value) { return static_cast<double>(value.Integer(1, kMaxRank)); }
double ReadAlpha(const JsonValue& value) {
  constexpr double kLargest = 1e9;  // far above any use, and far below what makes a weight infinite
  if (!(std::abs(value.Number()) <= kLargest)) value.Fail("a number of at most 1e9 in size");
  return value.Number();
}

// Whether the path of `module` is `end`, or ends with it after a dot.
bool EndsWith(const std::string& module, const std::string& end) {
  return module == end || module.ends_with("." + end);
}

// The number at the start of `text`, if a dot follows it.
std::optional<Index> LeadingIndex(std::string_view text) {
  const size_t size = text.find_first_not_of("0123456789");
  if (size == 0 || size > 9 || size == text.npos || text[size] != '.') return std::nullopt;
  return std::stoll(std::string(text.substr(0, size)));
}

// The index of the layer that a module belongs to: the first number after a name of `lists`, or after any two names.
std::optional<Index> ListedLayerOf(const std::string& module, const std::vector<std::string>& lists) {
  size_t before = 0;  // names before the number
  for (size_t dot = module.find('.'); dot != module.npos; dot = module.find('.', dot + 1)) {
    ++before;
    const std::string path = module.substr(0, dot);
    const bool follows =
        lists.empty() ? before >= 2
                      : std::ranges::any_of(lists, [&](const std::string& list) { return EndsWith(path, list); });
    if (!follows) continue;
    if (const std::optional<Index> index = LeadingIndex(std::string_view(module).substr(dot + 1))) return index;
  }
  return std::nullopt;
}

}  // namespace

bool ModuleRule::Names(const std::string& module) const {
  if (pattern) return pattern->Matches(module);
  return std::ranges::any_of(ends, [&](const std::string& end) { return EndsWith(module, end); });
}

double NumberRule::Of(const std::string& module) const {
  for (const auto& [pattern, other] : exceptions) {
    if (pattern.Matches(module)) return other;
  }
  return number;
}

PeftConfig::PeftConfig(const std::string& text, const std::string& file) {
  const nlohmann::json json = io::ParseJsonObject(text, file);
  const nlohmann::ordered_json ordered = nlohmann::ordered_json::parse(text);
  const JsonValue config(json, file);
  RefuseOtherMeanings(config);

  const JsonValue targets = config.Field("target_modules");
  if (targets.null()) targets.Fail("the modules that the adapter changes");
  all_linear_ = targets.json() == "all-linear";
  if (!all_linear_) targets_ = ReadModules(config, "target_modules");
  excluded_ = ReadModules(config, "exclude_modules");
  replaced_ = ReadNames(config.Field("modules_to_save"));

  layers_ = config.Field("layers_to_transform").Integers(0, INT32_MAX);
  if (!layers_.empty() && targets.json().is_string()) {
    targets.Fail("a list, as there is layers_to_transform beside it");
  }
  const JsonValue lists = config.Field("layers_pattern");
  layer_lists_ = lists.json().is_string() ? std::vector{lists.String()} : ReadNames(lists);
  if (layer_lists_ == std::vector<std::string>{""}) layer_lists_.clear();

  const double rank = static_cast<double>(config.Field("r").IntegerOr(8, 1, kMaxRank));
  const JsonValue alpha = config.Field("lora_alpha");
  rank_ = ReadNumbers(config, ordered, rank, "rank_pattern", ReadRank);
  alpha_ = ReadNumbers(config, ordered, alpha.null() ? 8 : ReadAlpha(alpha), "alpha_pattern", ReadAlpha);
  divides_by_root_ = config.Field("use_rslora").BooleanOr(false);
  has_magnitudes_ = config.Field("use_dora").BooleanOr(false);
}

bool PeftConfig::Updates(const std::string& module, nn::MatrixKind kind) const {
  if (excluded_.Names(module) || Replaces(module)) return false;
  if (all_linear_) return kind == nn::MatrixKind::kBlock;
  if (!targets_.Names(module)) return false;
  return layers_.empty() || std::ranges::find(targets_.ends, module) != targets_.ends.end() || IsInLayers(module);
}

bool PeftConfig::Replaces(const std::string& module) const {
  // A name in modules_to_save is the end of a path, be it in the middle of a word, and stands for all below it.
  for (size_t end = module.find('.');; end = module.find('.', end + 1)) {
    const std::string path = module.substr(0, end);
    if (std::ranges::any_of(replaced_, [&](const std::string& name) { return path.ends_with(name); })) return true;
    if (end == module.npos) return false;
  }
}

double PeftConfig::ScaleOf(const std::string& module) const {
  const double rank = rank_.Of(module);
  return alpha_.Of(module) / (divides_by_root_ ? std::sqrt(rank) : rank);
}

bool PeftConfig::IsInLayers(const std::string& module) const {
  const std::optional<Index> layer = ListedLayerOf(module, layer_lists_);
  return layer && std::ranges::find(layers_, *layer) != layers_.end();
}

}  // namespace ampgrad::ct
