#include "models/rope/rope.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

namespace ampgrad::models {
namespace {

RopeConfig::Type TypeOf(const io::JsonValue& scaling) {
  const std::string name = scaling.Field("rope_type").StringOr(scaling.Field("type").StringOr("default"));
  if (name == "default") return RopeConfig::Type::kDefault;
  if (name == "linear") return RopeConfig::Type::kLinear;
  if (name == "llama3") return RopeConfig::Type::kLlama3;
  scaling.Field(scaling.Has("rope_type") ? "rope_type" : "type").Fail("\"default\", \"linear\" or \"llama3\"");
}

void RefusePartial(const io::JsonValue& object) {
  const io::JsonValue part = object.Field("partial_rotary_factor");
  if (part.PositiveOr(1) != 1) part.Fail("1");
}

// An empty object counts as absent.
bool IsGiven(const io::JsonValue& form) {
  if (form.null()) return false;
  if (!form.json().is_object()) form.Fail("an object");
  return !form.json().empty();
}

// Reads one of the two forms. Its rope_theta and that of `config` must agree; either may be missing.
RopeConfig ReadScaling(const io::JsonValue& scaling, const io::JsonValue& config, Index context) {
  RefusePartial(scaling);
  RopeConfig rope;
  rope.type = TypeOf(scaling);
  const double beside = config.Field("rope_theta").PositiveOr(rope.theta);
  rope.theta = scaling.Field("rope_theta").PositiveOr(beside);
  if (rope.theta != beside && config.Has("rope_theta")) {
    scaling.Field("rope_theta").Fail("equal to the rope_theta beside it");
  }
  if (rope.type == RopeConfig::Type::kDefault) return rope;
  rope.factor = scaling.Field("factor").Positive();
  if (rope.type == RopeConfig::Type::kLinear) return rope;
  rope.low_freq_factor = scaling.Field("low_freq_factor").PositiveOr(rope.low_freq_factor);
  rope.high_freq_factor = scaling.Field("high_freq_factor").PositiveOr(rope.high_freq_factor);
  constexpr char kOriginal[] = "original_max_position_embeddings";  // the later form has it beside the others, too
  rope.original_context = scaling.Field(kOriginal).IntegerOr(
      config.Field(kOriginal).IntegerOr(context, 1, Index{1} << 31), 1, Index{1} << 31);
  if (!(rope.high_freq_factor > rope.low_freq_factor)) scaling.Field("high_freq_factor").Fail("over low_freq_factor");
  return rope;
}

// The forms under one field: the object itself or, where it holds one for each type of layer, all of these.
std::vector<io::JsonValue> FormsOf(const io::JsonValue& field) {
  std::vector<io::JsonValue> forms;
  if (!IsGiven(field)) return forms;
  for (const auto& [key, value] : field.json().items()) {
    if (value.is_object() && IsGiven(field.Field(key))) forms.push_back(field.Field(key));
  }
  if (forms.empty()) forms.push_back(field);
  return forms;
}

// Other names and places for what rotates, none of which Llama has.
void RefuseOtherFields(const io::JsonValue& config) {
  for (const char* key : {"rope_local_base_freq", "local_rope_theta", "global_rope_theta", "no_rope_layers",
                          "rotary_dim", "rotary_pct", "rotary_emb_base", "rope_type"}) {
    const io::JsonValue field = config.Field(key);
    if (!field.null()) field.Fail("absent, as Llama has rope_theta and rope_scaling or rope_parameters");
  }
  config.Field("rope_interleaved").RefuseUnless(false);
}

}  // namespace

RopeConfig RopeConfig::FromJson(const io::JsonValue& config, Index context) {
  RefusePartial(config);
  RefuseOtherFields(config);
  RopeConfig rope;
  rope.theta = config.Field("rope_theta").PositiveOr(rope.theta);
  const std::vector<io::JsonValue> later = FormsOf(config.Field("rope_parameters")),
                                   old = FormsOf(config.Field("rope_scaling"));
  for (size_t i = 0; i < later.size(); ++i) {
    const RopeConfig read = ReadScaling(later[i], config, context);
    if (i > 0 && read != rope) later[i].Fail("equal to those of the other layers");
    rope = read;
  }
  for (size_t i = 0; i < old.size(); ++i) {
    const RopeConfig read = ReadScaling(old[i], config, context);
    if (i > 0 && read != rope) old[i].Fail("equal to those of the other layers");
    if (i == 0 && !later.empty() && read != rope) {
      throw std::runtime_error(config.file() + ": rope_scaling and rope_parameters contradict each other");
    }
    rope = read;
  }
  return rope;
}

nlohmann::json RopeConfig::ScalingJson() const {
  switch (type) {
    case Type::kDefault:
      return nullptr;
    case Type::kLinear:
      return {{"rope_type", "linear"}, {"factor", factor}};
    case Type::kLlama3:
      return {{"rope_type", "llama3"},
              {"factor", factor},
              {"low_freq_factor", low_freq_factor},
              {"high_freq_factor", high_freq_factor},
              {"original_max_position_embeddings", original_context}};
  }
  return nullptr;
}

Tensor InverseFrequencies(const RopeConfig& rope, Index head_dim) {
  Tensor frequencies = Tensor::Uninitialized({head_dim / 2});
  for (Index j = 0; j < frequencies.size(); ++j) {
    double f = std::pow(rope.theta, -2.0 * static_cast<double>(j) / static_cast<double>(head_dim));
    if (rope.type == RopeConfig::Type::kLinear) f /= rope.factor;
    if (rope.type == RopeConfig::Type::kLlama3) {
      const double turns = static_cast<double>(rope.original_context) * f / (2 * M_PI);  // within the original context
      const double kept =  // share of the unscaled frequency: 0 for slow waves, 1 for fast ones
          std::fmin(1, std::fmax(0, (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)));
      f = (1 - kept) * f / rope.factor + kept * f;
    }
    frequencies[j] = static_cast<Real>(f);
  }
  return frequencies;
}

}  // namespace ampgrad::models
