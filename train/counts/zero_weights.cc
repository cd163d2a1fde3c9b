#include "train/counts/zero_weights.h"

#include <algorithm>
#include <memory>

#include "nn/forms/frozen.h"
#include "nn/modules.h"
#include "tensor/io/mapped_zeros.h"

namespace ampgrad::train {

void UseZeroWeights(models::LanguageModel& model, StoredType type) {
  const nn::Parts parts = model.Parts();
  const auto type_of = [type](const Shape& shape) {
    return shape.cols() % BlockOf(type).numbers == 0 ? type : StoredType::kF16;
  };
  Index most = 1;
  for (const nn::Matrix* matrix : parts.matrices) {
    const Shape shape = matrix->StoredShape();
    most = std::max(most, BytesOf(type_of(shape), shape.size()));
  }
  const std::shared_ptr<const void> zeros = io::MapZeros(most);  // all matrices are views of the same
  for (nn::Matrix* matrix : parts.matrices) {
    const Shape shape = matrix->StoredShape();
    matrix->form = std::make_unique<nn::Frozen>(StoredTensor(type_of(shape), shape, zeros), matrix->layout);
  }
  nn::MakeVectors(parts);
}

}  // namespace ampgrad::train
