#include "nn/modules.h"

namespace ampgrad::nn {

void MakeVectors(const Parts& parts) {
  for (Param* vector : parts.vectors) {
    vector->value = Tensor(vector->value.shape());
    if (vector->name.ends_with(".weight")) vector->value.Fill(1);
  }
}

void CopyParts(const Parts& from, const Parts& to) {
  for (size_t i = 0; i < from.matrices.size(); ++i) to.matrices[i]->CopyFrom(*from.matrices[i]);
  for (size_t i = 0; i < from.vectors.size(); ++i) to.vectors[i]->value = from.vectors[i]->value.Clone();
}

void Linear::AddTo(Parts& parts) {
  parts.matrices.push_back(&weight);
  if (has_bias) parts.vectors.push_back(&bias);
}

Var Linear::Forward(const Var& x) {
  Input input(x);
  return Forward(input);
}

Var Linear::Forward(Input& x) {
  if (!has_bias) return weight.Apply(x, nullptr);
  const Var b = x.x().tape->Leaf(bias);
  return weight.Apply(x, &b);
}

LayerNorm::LayerNorm(const std::string& name, Index channels, Real eps)
    : gain{name + ".weight", Tensor::Absent({channels}), {}},
      bias{name + ".bias", Tensor::Absent({channels}), {}},
      eps(eps) {}

void LayerNorm::AddTo(Parts& parts) {
  parts.vectors.push_back(&gain);
  parts.vectors.push_back(&bias);
}

Var LayerNorm::Forward(const Var& x) { return ops::LayerNorm(x, x.tape->Leaf(gain), x.tape->Leaf(bias), eps); }

RmsNorm::RmsNorm(const std::string& name, Index channels, Real eps)
    : gain{name + ".weight", Tensor::Absent({channels}), {}}, eps(eps) {}

}  // namespace ampgrad::nn
