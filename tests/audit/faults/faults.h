#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/audit/mutants.h"

/// Faults that fit many ops, and the list that mutants are gathered in. `i` is the input whose gradient is spoiled.
namespace ampgrad::audit {

inline void ScaleBy(Tensor& t, double factor) {
  for (Real& element : t) element *= static_cast<Real>(factor);
}

inline Fault Times(size_t i, double factor) {
  return [=](Pass& p) { ScaleBy(p.dX[i], factor); };
}

inline Fault WithoutTail(size_t i, Index tail) {
  return [=](Pass& p) { std::fill_n(p.dX[i].end() - tail, tail, Real(0)); };
}

inline Fault OnesComeIn(const OpCase& right) {
  return [run = right.run](Pass& p) {
    Tensor ones(p.dY.shape());
    ones.Fill(1);
    p.dX = GradientsOf(run, p.x, ones);
  };
}

/// The closure reads the inputs of a later call.
inline Fault OfLaterCall(const OpCase& right) {
  return [run = right.run](Pass& p) { p.dX = GradientsOf(run, p.latest_x, p.dY); };
}

/// The fault shows in a pass that does not want the gradient of input `frozen`.
inline Fault WhereFrozen(size_t frozen, const Fault& fault) {
  return [=](Pass& p) {
    if (!p.wanted[frozen]) fault(p);
  };
}

/// The op has no bias; its gradient is added to that of another input all the same.
inline Fault AbsentBiasLandsIn(size_t i) {
  return [=](Pass& p) {
    for (Index n = 0; n < p.dY.rows(); ++n) {
      for (Index o = 0; o < p.dY.cols(); ++o) p.dX[i][o] += p.dY.row(n)[o];
    }
  };
}

// ---- What becomes of a part on its way to the gradient

/// What is there is lost.
inline void Assign(Pass& p) {
  p.store = [](size_t, kernels::Sink sink, const Tensor& part) { std::copy(part.begin(), part.end(), sink.to); };
}

/// What is there is lost of one gradient.
inline Fault AssignOnly(size_t input) {
  return [=](Pass& p) {
    p.store = [=](size_t i, kernels::Sink sink, const Tensor& part) {
      AddPart(i, i == input ? kernels::Sink{sink.to} : sink, part);
    };
  };
}

/// The closure adds to what `to` holds instead of `onto`. The two differ where another holds the gradient that is
/// there: then `to` is new memory; here, zeros.
inline void ReadTo(Pass& p) {
  p.store = [](size_t i, kernels::Sink sink, const Tensor& part) {
    AddPart(i, {sink.to, sink.onto == sink.to ? sink.to : nullptr}, part);
  };
}

/// The closure adds into `onto`, which another may hold.
inline void WriteOnto(Pass& p) {
  p.store = [](size_t i, kernels::Sink sink, const Tensor& part) {
    AddPart(i, sink, part);
    if (sink.onto) std::copy_n(sink.to, part.size(), const_cast<Real*>(sink.onto));
  };
}

/// A gradient is computed in the place of a tensor that another may hold.
inline void WriteOver(Tensor shared, const Tensor& dX) { std::copy(dX.begin(), dX.end(), shared.begin()); }

class Planter {
 public:
  void Plant(const OpCase& right, const std::string& fault, const Fault& spoil) {
    mutants.push_back({right.op, fault, WithFault(right, spoil)});
  }
  /// The same in an op that gets one tensor for all its inputs, whose gradients meet in one buffer.
  void PlantOnOneInput(const OpCase& right, const std::string& fault, const Fault& spoil) {
    mutants.push_back({right.op, fault, OnOneInput(WithFault(right, spoil))});
  }
  std::vector<Mutant> mutants;
};

void PlantElementwise(Planter& planter);
/// Embedding, linear and frozen_linear.
void PlantProducts(Planter& planter);
void PlantNorms(Planter& planter);
/// Rotary and both attentions.
void PlantAttention(Planter& planter);
void PlantLoss(Planter& planter);
void PlantCheckpoint(Planter& planter);
/// Reconstruct, append_ones and factored_linear.
void PlantScores(Planter& planter);
/// The ops of other weight forms: scales, products of factors, sparse values, dropout.
void PlantForms(Planter& planter);

}  // namespace ampgrad::audit
