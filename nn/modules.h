#pragma once

#include <string>
#include <vector>

#include "nn/matrix.h"

/// The modules that every transformer has: parameters with the names of the checkpoint, and a Forward composed of ops.
/// N = batch·length rows, C channels (the hidden size). AddTo appends the matrices and vectors of a module to `parts`.
namespace ampgrad::nn {

/// All weights of a module that may have parameters, in the order of the model.
struct Parts {
  std::vector<Matrix*> matrices;
  std::vector<Param*> vectors;  // biases and norms
};

/// Makes the vectors of a model that is not loaded from a file: gains are one, biases zero.
void MakeVectors(const Parts& parts);

/// Copies every part of a model to another model of the same configuration (`Matrix::CopyFrom`).
void CopyParts(const Parts& from, const Parts& to);

// The vectors of the modules below are absent until they are loaded or made (`MakeVectors`): a file that does not hold
// what its config.json says is refused before anything of that size is allocated.

class Embedding {
 public:
  Embedding(const std::string& name, MatrixKind kind, Index rows, Index channels)
      : weight(name + ".weight", kind, ops::Layout::kOutIn, rows, channels) {}
  void AddTo(Parts& parts) { parts.matrices.push_back(&weight); }

  Matrix weight;  // [rows, C]
};

class Linear {
 public:
  Linear(const std::string& name, ops::Layout layout, Index in, Index out, bool has_bias = true)
      : weight(name + ".weight", MatrixKind::kBlock, layout, out, in),
        bias{name + ".bias", has_bias ? Tensor::Absent({out}) : Tensor(), {}},
        has_bias(has_bias) {}
  void AddTo(Parts& parts);
  /// x [N, in] → [N, out]
  Var Forward(const Var& x);
  /// The same for an x that other matrices also read.
  Var Forward(Input& x);

  Matrix weight;
  Param bias;  // [out] if has_bias
  bool has_bias;
};

class LayerNorm {
 public:
  LayerNorm(const std::string& name, Index channels, Real eps);
  void AddTo(Parts& parts);
  /// x [N, C] → [N, C]
  Var Forward(const Var& x);

  Param gain;  // [C]
  Param bias;  // [C]
  Real eps;
};

class RmsNorm {
 public:
  RmsNorm(const std::string& name, Index channels, Real eps);
  void AddTo(Parts& parts) { parts.vectors.push_back(&gain); }
  /// x [N, C] → [N, C]
  Var Forward(const Var& x) { return ops::RmsNorm(x, x.tape->Leaf(gain), eps); }

  Param gain;  // [C]
  Real eps;
};

}  // namespace ampgrad::nn
