#pragma once

#include <memory>
#include <vector>

#include "nn/forms/update_form.h"

namespace ampgrad::nn {

/// W = W₀ with trained values added at fixed positions (SHiRA, Bhardwaj et al., arXiv:2406.13175, where the positions
/// are drawn at random). Their gradient is gathered from dW, so there is no factored chain.
class Sparse : public UpdateForm {
 public:
  /// `positions` in the row-major order of [out, in], whatever the layout of W₀; each once.
  Sparse(FrozenBase base, std::vector<Index> positions, Tensor values);

  Var Make(Tape& tape) override;
  std::vector<FormPart> Parts() override { return {{"values", &values_}}; }
  const std::vector<Index>& positions() const { return *positions_; }

 private:
  std::shared_ptr<const std::vector<Index>> positions_;
  Param values_;  // as many as positions
};

}  // namespace ampgrad::nn
