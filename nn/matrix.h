#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/forms/update_form.h"

namespace ampgrad::nn {

/// The place of a matrix in its model.
enum class MatrixKind { kBlock, kVocabulary, kPosition };

/// A named weight matrix of a model, in any weight form. All functions but StoredShape and CopyFrom need `form`.
struct Matrix {
  Matrix(std::string name, MatrixKind kind, ops::Layout layout, Index out, Index in);

  /// The linear map of this weight: x·Wᵀ or x·W by its layout, plus `bias` unless it is null.
  Var Apply(Input& input, const Var* bias) { return form->Apply(input, bias); }
  Var Apply(const Var& x) {
    Input input(x);
    return Apply(input, nullptr);
  }
  /// Rows `ids` of the weight as a table [V, C] → [N, C].
  Var Lookup(Tape& tape, const std::vector<int>& ids) { return form->Lookup(tape, ids); }

  /// Its shape in the stored layout: [out, in] or [in, out].
  Shape StoredShape() const;
  /// Its weight as it is now, for a form that adds to it.
  FrozenBase Base() const { return {name, form->Merged(), layout}; }
  /// Whether it has parameters. A form without parameters keeps the weight as stored and never trains.
  bool HasParameters() const { return !form->Parts().empty(); }
  /// Replaces the form with a Dense form of the same weight, which can train.
  void MakeTrainable();
  /// Takes the weight of `other`, a matrix of the same shape: as a dense copy if `other` has parameters, else in its
  /// stored type and sharing its storage.
  void CopyFrom(const Matrix& other);

  std::string name;
  MatrixKind kind;
  ops::Layout layout;  // of the checkpoint
  Index out, in;
  bool to_residual = false;          // a block adds its outputs to the residual stream
  int copies = 1;                    // how many weights of the model this matrix is: 2 for a tied vocabulary
  std::unique_ptr<WeightForm> form;  // null until the weight is loaded or initialised
};

}  // namespace ampgrad::nn
