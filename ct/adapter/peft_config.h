#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ct/adapter/name_pattern.h"
#include "nn/matrix.h"

namespace ampgrad::ct {

/// Longest adapter_config.json that is read, in bytes. It bounds the time that its patterns take.
inline constexpr uint64_t kMaxPeftConfigBytes = 256 << 10;

/// Some modules: those that a pattern matches or, without a pattern, those whose path is in a list, or its end after a
/// dot.
struct ModuleRule {
  std::optional<NamePattern> pattern;
  std::vector<std::string> ends;

  bool Names(const std::string& module) const;
};

/// A number, and other numbers for some modules; of several patterns that match, the first counts.
struct NumberRule {
  double number = 0;
  std::vector<std::pair<NamePattern, double>> exceptions;

  double Of(const std::string& module) const;
};

/// What adapter_config.json of Hugging Face's PEFT says of a LoRA adapter. A module is named by its path in the whole
/// model, as in "model.layers.0.self_attn.q_proj".
class PeftConfig {
 public:
  /// Reads the content `text` of `file`. Throws std::runtime_error naming the key for another kind of adapter, for a
  /// value of a wrong type, and for a key that is not read here unless its value is null, false or empty.
  PeftConfig(const std::string& text, const std::string& file);

  /// Whether the matrix of a module has a low-rank update.
  bool Updates(const std::string& module, nn::MatrixKind kind) const;
  /// Whether the adapter holds the parameters of a module as a whole.
  bool Replaces(const std::string& module) const;
  Index RankOf(const std::string& module) const { return static_cast<Index>(rank_.Of(module)); }
  /// What B·A is multiplied by: alpha/r, with rsLoRA alpha/√r.
  double ScaleOf(const std::string& module) const;
  /// Whether each update has a magnitude (DoRA).
  bool has_magnitudes() const { return has_magnitudes_; }

 private:
  bool IsInLayers(const std::string& module) const;

  ModuleRule targets_, excluded_;
  bool all_linear_ = false;               // the matrices of all blocks, whatever targets_ says
  std::vector<Index> layers_;             // empty for all
  std::vector<std::string> layer_lists_;  // the modules that hold the layers: "h"; empty for any
  std::vector<std::string> replaced_;     // ends of paths
  NumberRule rank_, alpha_;
  bool divides_by_root_ = false, has_magnitudes_ = false;
};

}  // namespace ampgrad::ct
