#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

/// Adapters as other programs know them: a low-rank update for each of some matrices, and some tensors as a whole.
namespace ampgrad::ct {

/// W = W₀ + scale·B·A, or with a magnitude m ⊙ V/‖V‖ by the rows of that sum V (DoRA), in the orientation [out, in].
struct MatrixUpdate {
  std::string matrix;  // its name in the model
  Tensor a;            // A [r, in]
  Tensor b;            // B [out, r]
  double scale = 1;
  Tensor magnitude;  // m [out]; absent unless the update has one
};

/// A tensor that takes the place of the model's: a matrix in its stored layout, or a vector.
struct WholeTensor {
  std::string name;  // in the model
  Tensor value;
};

struct LowRankAdapter {
  std::vector<MatrixUpdate> updates;
  std::vector<WholeTensor> whole;
};

}  // namespace ampgrad::ct
