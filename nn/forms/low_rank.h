#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/forms/update_form.h"

namespace ampgrad::nn {

/// Which of the two factors trains.
enum class TrainedFactors { kBoth, kA, kB };

/// W = W₀ + s·B·A (LoRA, Hu et al., arXiv:2106.09685). Which factor trains and where the factors come from make the
/// methods lora, lora-fa, pissa and others.
class LowRank : public UpdateForm {
 public:
  /// With `first`, W = W₀ − s·B'·A' + s·B·A for its factors B' and A': what the update starts from is taken away.
  LowRank(FrozenBase base, Factors factors, TrainedFactors trained, Chain chain,
          const std::optional<Factors>& first = std::nullopt);

  /// The probability, 0 to below 1, with which a training pass drops each number of the x that A reads (ops::Dropout).
  /// By the factored chain alone: the explicit one drops nothing.
  void set_dropout(double rate) { dropout_ = rate; }

  Var Make(Tape& tape) override;
  std::vector<FormPart> Parts() override;
  const char* Name() const override { return "low_rank"; }
  std::map<std::string, double> Numbers() const override { return {{"scale", scale_}}; }
  std::optional<Factors> Update() const override;

 protected:
  Var ApplyFactored(Input& input, const Var* bias) override;

  Param a_, b_;
  Real scale_;

 private:
  double dropout_ = 0;
  Param first_a_, first_b_;  // what was taken away: frozen, kept for adapters; or absent
};

}  // namespace ampgrad::nn
