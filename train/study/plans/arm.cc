#include "train/study/plans/arm.h"

#include <memory>

#include "nn/forms/dense.h"

namespace ampgrad::train {
namespace {

void SetZero(nn::Matrix& matrix) {
  matrix.form = std::make_unique<nn::Dense>(matrix.name, Tensor(matrix.StoredShape()), matrix.layout);
}

// Without the matrices that write to the residual stream, and their biases, a block adds nothing to it.
void RemoveLayers(models::LanguageModel& model, const Scope& scope) {
  for (Index i = 0; i < model.layers(); ++i) {
    if (!scope.all_layers && (i < scope.first || i > scope.last)) continue;
    const nn::Parts parts = model.BlockParts(i);
    for (nn::Matrix* matrix : parts.matrices) {
      for (const char* end : {"o_proj.weight", "down_proj.weight", "c_proj.weight"}) {
        if (matrix->name.ends_with(end)) SetZero(*matrix);
      }
    }
    for (Param* vector : parts.vectors) {
      if (vector->name.ends_with("proj.bias")) vector->value.Fill(0);
    }
  }
  models::SetTrainable(model, false);
}

// Matrices of the form W = S·B + μ, taken as they are, train whole.
void Rebuild(models::LanguageModel& model, const MethodSettings& method, const Bases& bases) {
  MethodSettings amplitude = method;
  amplitude.method = "amplitude";
  amplitude.start = ct::Start::kReconstructed;
  Prepare(model, amplitude, bases);
  for (nn::Matrix* matrix : MatricesInScope(model, method.scope)) matrix->MakeTrainable();
}

}  // namespace

void PrepareArm(models::LanguageModel& model, const Arm& arm, const Bases& bases) {
  switch (arm.kind) {
    case ArmKind::kMethod:
    case ArmKind::kMeanRow:
      Prepare(model, arm.method, bases);
      return;
    case ArmKind::kRebuilt:
      Rebuild(model, arm.method, bases);
      return;
    case ArmKind::kLayersRemoved:
      RemoveLayers(model, arm.method.scope);
  }
}

}  // namespace ampgrad::train
