#include "tests/audit/mutants.h"

#include <memory>
#include <utility>

#include "tests/audit/faults/faults.h"
#include "tests/audit/op_audit.h"

namespace ampgrad::audit {
namespace {

// What the calls of one faulty op share.
struct Memory {
  std::vector<Tensor> x, dX;
};

// Some faults write over their inputs, which all mutants of a case share.
OpCase WithOwnInputs(OpCase op_case) {
  for (CheckInput& input : op_case.inputs) input.value = input.value.Clone();
  return op_case;
}

}  // namespace

void AddPart(size_t, kernels::Sink sink, const Tensor& part) {
  for (Index n = 0; n < part.size(); ++n) sink.to[n] = (sink.onto ? sink.onto[n] : Real(0)) + part[n];
}

OpCase WithFault(const OpCase& right, const Fault& fault) {
  OpCase faulty = right;
  const auto memory = std::make_shared<Memory>();
  for (const CheckInput& input : right.inputs) memory->dX.push_back(Tensor(input.value.shape()));
  faulty.run = [=, run = right.run](Tape& tape, const Vars& vars) {
    std::vector<Tensor> x;
    std::vector<bool> wanted;
    for (const Var& var : vars) {
      x.push_back(var.value);
      wanted.push_back(var.needs_grad());
    }
    memory->x = x;
    const Tensor y = Evaluate(run, x);
    const auto input = [&](size_t i) { return i < vars.size() ? &vars[i] : nullptr; };
    return tape.Record("faulty", y, {input(0), input(1), input(2), input(3)}, [=](const Tensor& dY, InputGrads& d) {
      std::vector<Tensor> dX = GradientsOf(run, x, dY);
      std::vector<Tensor> right_dX;
      for (const Tensor& gradient : dX) right_dX.push_back(gradient.Clone());
      Pass pass{x, memory->x, memory->dX, wanted, y, dY, dX};
      fault(pass);
      for (size_t i = 0; i < dX.size(); ++i) {
        if (const kernels::Sink sink = d.AddTo(static_cast<int>(i))) pass.store(i, sink, dX[i]);
      }
      memory->dX = right_dX;
    });
  };
  return faulty;
}

std::vector<Mutant> Mutants() {
  Planter planter;
  PlantElementwise(planter);
  PlantProducts(planter);
  PlantNorms(planter);
  PlantAttention(planter);
  PlantLoss(planter);
  PlantCheckpoint(planter);
  PlantScores(planter);
  PlantForms(planter);
  return std::move(planter.mutants);
}

std::vector<MutantFinding> RunMutants(uint64_t seed) {
  std::vector<MutantFinding> findings;
  for (const Mutant& mutant : Mutants()) {
    // The common check goes first: it knows one backward only, that of a fresh op.
    const bool common = CommonCheckRefuses(WithOwnInputs(mutant.faulty), seed);
    findings.push_back({mutant.op, mutant.fault, AuditRefuses(WithOwnInputs(mutant.faulty), seed), common});
  }
  return findings;
}

}  // namespace ampgrad::audit
