#include "ct/adapter/base_weights.h"

#include "tensor/io/digest.h"

namespace ampgrad::ct {

BaseWeights::BaseWeights(const nn::Parts& parts) {
  for (const nn::Matrix* matrix : parts.matrices) weights_.emplace(matrix->name, matrix->form->Merged());
  // Vectors are widened when a model is read; in F32 they are the same for any Real.
  for (const Param* vector : parts.vectors) weights_.emplace(vector->name, Rounded(vector->value, StoredType::kF32));
}

std::string BaseWeights::HashOf(const std::set<std::string>& names) const {
  io::Digest digest;
  for (const std::string& name : names) {
    StoredTensor weight = weights_.at(name);
    // Of the same numbers in a directory, which lie in the order of their shape, the hash is the same.
    if (weight.transposed())
      weight = Rounded(weight.Widened(), HasBlocks(weight.type()) ? StoredType::kF32 : weight.type());
    digest.Add(name);
    digest.Add(weight.shape().ToString() + " " + std::to_string(static_cast<int>(weight.type())));
    digest.Add(weight.data(), static_cast<size_t>(weight.bytes()));
  }
  return digest.Text();
}

}  // namespace ampgrad::ct
