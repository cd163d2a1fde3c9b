#include "models/rope.h"

#include <cmath>
#include <optional>
#include <stdexcept>

namespace ampgrad::models {
namespace {

RopeConfig::Type TypeOf(const io::JsonObject& scaling) {
  const std::string type = scaling.String("rope_type", scaling.String("type", "default"));
  if (type == "default") return RopeConfig::Type::kDefault;
  if (type == "linear") return RopeConfig::Type::kLinear;
  if (type == "llama3") return RopeConfig::Type::kLlama3;
  throw std::runtime_error(scaling.where() + ": rope_type '" + type +
                           "' is not supported; expected default, linear or llama3");
}

void RefusePartial(const io::JsonObject& object) {
  if (object.Positive("partial_rotary_factor", 1) != 1) {
    throw std::runtime_error(object.where() + ": partial_rotary_factor other than 1 is not supported");
  }
}

// What one of the two forms says, beside fields of `config`.
RopeConfig ReadScaling(const io::JsonObject& scaling, const io::JsonObject& config, Index context) {
  RefusePartial(scaling);
  RopeConfig rope;
  rope.type = TypeOf(scaling);
  const double beside = config.Positive("rope_theta", rope.theta);
  rope.theta = scaling.Positive("rope_theta", beside);
  if (rope.theta != beside && config.Has("rope_theta")) {
    throw std::runtime_error(scaling.where() + ": rope_theta contradicts the one beside it");
  }
  if (rope.type == RopeConfig::Type::kDefault) return rope;
  if (!scaling.Has("factor")) throw std::runtime_error(scaling.where() + ": factor is missing");
  rope.factor = scaling.Positive("factor", 1);
  if (rope.type == RopeConfig::Type::kLinear) return rope;
  rope.low_freq_factor = scaling.Positive("low_freq_factor", rope.low_freq_factor);
  rope.high_freq_factor = scaling.Positive("high_freq_factor", rope.high_freq_factor);
  rope.original_context = scaling.Integer("original_max_position_embeddings", context, 1, Index{1} << 31);
  if (!(rope.high_freq_factor > rope.low_freq_factor)) {
    throw std::runtime_error(scaling.where() + ": expected high_freq_factor over low_freq_factor");
  }
  return rope;
}

}  // namespace

RopeConfig RopeConfig::FromJson(const io::JsonObject& config, Index context) {
  RefusePartial(config);
  RopeConfig rope;
  rope.theta = config.Positive("rope_theta", rope.theta);
  const std::optional<io::JsonObject> old_form = config.Object("rope_scaling"),
                                      later = config.Object("rope_parameters");
  if (later) rope = ReadScaling(*later, config, context);
  if (!old_form) return rope;
  const RopeConfig old_rope = ReadScaling(*old_form, config, context);
  if (later && old_rope != rope) {
    throw std::runtime_error(config.where() + ": rope_scaling and rope_parameters contradict each other");
  }
  return old_rope;
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
      const double kept =  // share of the frequency as it was: 0 for slow waves, 1 for fast ones
          std::fmin(1, std::fmax(0, (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)));
      f = (1 - kept) * f / rope.factor + kept * f;
    }
    frequencies[j] = static_cast<Real>(f);
  }
  return frequencies;
}

}  // namespace ampgrad::models
