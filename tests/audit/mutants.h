#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/audit/findings.h"
#include "tests/audit/op_cases.h"

/// Planted faults: ops with the right forward and a backward that is wrong in one way, most of them seen in real code.
/// An audit is worth what it catches. No kernel is changed: what the real op gives is spoiled before it reaches the
/// tape.
namespace ampgrad::audit {

/// to = onto + part: how a closure adds the gradient of input `i` to what is there.
void AddPart(size_t i, kernels::Sink sink, const Tensor& part);

/// One backward pass, as a fault sees it.
struct Pass {
  const std::vector<Tensor>& x;         // the op's inputs
  const std::vector<Tensor>& latest_x;  // the inputs of the latest forward, which may be another use of the op
  const std::vector<Tensor>& last_dX;   // the right ones of the backward before this; zeros at first
  const std::vector<bool>& wanted;      // which inputs need a gradient
  const Tensor& y;
  const Tensor& dY;
  std::vector<Tensor>& dX;  // the right gradients, for the fault to spoil
  std::function<void(size_t i, kernels::Sink sink, const Tensor& part)> store = AddPart;
};
using Fault = std::function<void(Pass& pass)>;

/// The case with a backward that `fault` has spoiled; with one that does nothing, the right op.
OpCase WithFault(const OpCase& right, const Fault& fault);

struct Mutant {
  std::string op, fault;
  OpCase faulty;
};
std::vector<Mutant> Mutants();

/// Every mutant before this audit and before the common one.
std::vector<MutantFinding> RunMutants(uint64_t seed);

}  // namespace ampgrad::audit
