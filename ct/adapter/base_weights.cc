#include "ct/adapter/base_weights.h"

#include "tensor/io/digest.h"

namespace ampgrad::ct {
namespace {

// Vectors are widened when a model is read, so they are hashed as they lie in files that others write, too: in F32.
StoredTensor InFloat(const Tensor& vector) {
  const auto floats = std::make_shared<std::vector<float>>();
  for (const Real x : vector) floats->push_back(static_cast<float>(x));
  return {StoredType::kF32, vector.shape(), std::shared_ptr<const void>(floats, floats->data())};
}

}  // namespace

BaseWeights::BaseWeights(const nn::Parts& parts) {
  for (const nn::Matrix* matrix : parts.matrices) weights_.emplace(matrix->name, matrix->form->Merged());
  for (const Param* vector : parts.vectors) weights_.emplace(vector->name, InFloat(vector->value));
}

std::string BaseWeights::HashOf(const std::set<std::string>& names) const {
  io::Digest digest;
  for (const std::string& name : names) {
    const StoredTensor& weight = weights_.at(name);
    digest.Add(name);
    digest.Add(weight.shape().ToString() + " " + std::to_string(static_cast<int>(weight.type())));
    digest.Add(weight.data(), static_cast<size_t>(weight.bytes()));
  }
  return digest.Text();
}

}  // namespace ampgrad::ct
