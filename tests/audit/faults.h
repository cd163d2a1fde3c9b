#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/audit/mutants.h"

/// Faults that fit any op, and the list that mutants are gathered in. `i` is the input whose gradient is spoiled.
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

inline void Assign(Pass& p) { p.assigns = true; }

inline Fault OnesComeIn(const OpCase& right) {
  return [run = right.run](Pass& p) {
    Tensor ones(p.dY.shape());
    ones.Fill(1);
    p.dX = GradientsOf(run, p.x, ones);
  };
}

class Planter {
 public:
  void Plant(const OpCase& right, const std::string& fault, const Fault& spoil) {
    mutants.push_back({right.op, fault, WithFault(right, spoil)});
  }
  std::vector<Mutant> mutants;
};

/// The faults of AppendOnes and FactoredLinear.
void PlantFactored(Planter& planter);

}  // namespace ampgrad::audit
