#include "ct/adapter/convert.h"

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "nn/forms/dense.h"
#include "nn/forms/dora.h"
#include "nn/forms/frozen.h"

namespace ampgrad::ct {
namespace {

[[noreturn]] void FailFullRank(const nn::Matrix& matrix) {
  const std::string form = matrix.form->Name();
  const std::string why = form == "amplitude"
                              ? "W = S·B + μ, the start reconstructed, differs from it in every direction"
                              : "the form " + form + " changes it in no low-rank way";
  throw FullRankError(matrix.name + ": expected a low-rank update of the base, found none: " + why);
}

}  // namespace

LowRankAdapter ToLowRank(const nn::Parts& parts) {
  LowRankAdapter adapter;
  for (nn::Matrix* matrix : parts.matrices) {
    if (!matrix->HasParameters()) continue;
    const std::string form = matrix->form->Name();
    if (form == "dense") {
      adapter.whole.push_back({matrix->name, matrix->form->Part("weight").value});
      continue;
    }
    const std::optional<nn::Factors> update = matrix->form->Update();
    if (!update) FailFullRank(*matrix);
    const Tensor magnitude = form == "dora" ? matrix->form->Part("m").value : Tensor();
    adapter.updates.push_back({matrix->name, update->a, update->b, update->scale, magnitude});
  }
  for (const Param* vector : parts.vectors) {
    if (vector->trainable) adapter.whole.push_back({vector->name, vector->value});
  }
  return adapter;
}

void ApplyLowRank(const LowRankAdapter& adapter, const nn::Parts& parts, nn::Chain chain) {
  std::map<std::string, nn::Matrix*> matrices;
  std::map<std::string, Param*> vectors;
  for (nn::Matrix* matrix : parts.matrices) matrices[matrix->name] = matrix;
  for (Param* vector : parts.vectors) vectors[vector->name] = vector, vector->trainable = false;
  const auto fail = [](const std::string& name) {
    throw std::runtime_error("expected an adapter of matrices and vectors that the model has, found " + name);
  };
  for (const MatrixUpdate& update : adapter.updates) {
    if (!matrices.contains(update.matrix)) fail(update.matrix);
    nn::Matrix& matrix = *matrices.at(update.matrix);
    const nn::Factors factors{update.a, update.b, static_cast<Real>(update.scale)};
    if (update.magnitude.empty()) {
      matrix.form = std::make_unique<nn::LowRank>(matrix.Base(), factors, nn::TrainedFactors::kBoth, chain);
    } else {
      matrix.form = std::make_unique<nn::Dora>(matrix.Base(), factors, update.magnitude, chain);
    }
  }
  for (const WholeTensor& tensor : adapter.whole) {
    if (matrices.contains(tensor.name)) {
      nn::Matrix& matrix = *matrices.at(tensor.name);
      matrix.form = std::make_unique<nn::Dense>(matrix.name, tensor.value, matrix.layout);
    } else if (vectors.contains(tensor.name)) {
      vectors.at(tensor.name)->value = tensor.value.Clone();
      vectors.at(tensor.name)->trainable = true;
    } else {
      fail(tensor.name);
    }
  }
}

void FreezeForms(const nn::Parts& parts) {
  for (nn::Matrix* matrix : parts.matrices) {
    if (!matrix->HasParameters()) continue;
    const std::string form = matrix->form->Name();
    const bool narrow = form == "low_rank" || form == "core" || form == "shared_scaled";
    if (!narrow) matrix->form = std::make_unique<nn::Frozen>(matrix->form->Merged(), matrix->layout);
    for (const nn::FormPart& part : matrix->form->Parts()) part.param->trainable = false;
  }
  for (Param* vector : parts.vectors) vector->trainable = false;
}

}  // namespace ampgrad::ct
