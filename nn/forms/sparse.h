#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/forms/update_form.h"

namespace ampgrad::nn {

/// W = W₀ with trained values added at fixed positions (SHiRA, Bhardwaj et al., arXiv:2406.13175, where the positions
/// are drawn at random). Their gradient is gathered from dW, so there is no factored chain.
class Sparse : public UpdateForm {
 public:
  /// `positions` in the row-major order of [out, in], whatever the layout of W₀; each once.
  Sparse(FrozenBase base, std::vector<Index> positions, Tensor values);
  /// As many positions as values, drawn for this matrix by `seed`.
  Sparse(FrozenBase base, uint64_t seed, Tensor values);

  Var Make(Tape& tape) override;
  const char* Name() const override { return "sparse"; }
  std::map<std::string, double> Numbers() const override { return {{"seed", static_cast<double>(seed_)}}; }
  std::vector<FormPart> Parts() override { return {{"values", &values_}}; }

 private:
  uint64_t seed_ = 0;  // that drew the positions
  std::shared_ptr<const std::vector<Index>> positions_;
  Param values_;  // as many as positions
};

}  // namespace ampgrad::nn
