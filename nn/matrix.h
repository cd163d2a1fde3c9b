#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/forms/weight_form.h"

namespace ampgrad::nn {

/// What a matrix is in its model.
enum class MatrixKind { kBlock, kVocabulary, kPosition };

/// A named weight matrix of a model, in whatever form it is held.
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
  /// Whether it has parameters: a form that has none is held as it lies, and never trains.
  bool HasParameters() const { return !form->Parts().empty(); }
  /// Holds the weight as it stands in a Dense form that trains.
  void MakeTrainable();
  /// Takes over the weight of `other`, a matrix of the same shape: as a dense copy where it has parameters, else as it
  /// lies, in the same place.
  void CopyFrom(const Matrix& other);

  std::string name;
  MatrixKind kind;
  ops::Layout layout;  // of the checkpoint
  Index out, in;
  int copies = 1;                    // how many weights of the model share this one: 2 for a tied vocabulary
  std::unique_ptr<WeightForm> form;  // absent until the weight is loaded or drawn
};

}  // namespace ampgrad::nn
