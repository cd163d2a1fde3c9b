#pragma once

#include <string>
#include <vector>

#include "tensor/real.h"

/// What an audit found, as plain numbers: made by the parts of the audit, read by the terminal table, the JSON and the
/// HTML report. Every comparison is `error <= bound`, so that a NaN fails.
namespace ampgrad::audit {

/// The remainder |f(x + h·u) − f(x) − h·⟨g, u⟩| at one step length.
struct TaylorPoint {
  double h, remainder;
};

/// The gradient of one op by one input at one shape, in the double build.
struct OpFinding {
  std::string op, shape, input;
  double bound = 0;
  double complex_step_error = 0;  // ‖dX − complex step of the reference‖ / ‖…‖, or the forward's, if that is worse
  double adjoint_error = 0;  // |⟨J·u, v⟩ − ⟨u, Jᵀ·v⟩| / (‖J·u‖·‖v‖), J·u by complex step
  bool straight = false;     // the op is linear in this input: no remainder to fit, only rounding
  double taylor_slope = 0;   // of log remainder over log h; 2 when the gradient is right
  std::vector<TaylorPoint> taylor;

  /// Both errors within the bound, and the slope 2 ± 0.1 unless straight.
  bool Passed() const {
    const bool slope = straight || (taylor_slope >= 1.9 && taylor_slope <= 2.1);
    return complex_step_error <= bound && adjoint_error <= bound && slope;
  }
};

/// A statement that holds exactly or to rounding, such as "softmax rows of dlogits sum to 0".
struct IdentityFinding {
  std::string group;  // "structure", "chain" or "step"
  std::string statement;
  double error = 0, bound = 0;

  bool Passed() const { return error <= bound; }
};

/// A float kernel on one instruction set against its definition in double.
struct KernelFinding {
  std::string target, kernel;
  double share = 0;  // the largest |error| / bound over all elements and sizes; the bound is derived, so at most 1

  bool Passed() const { return share <= 1; }
};

/// A planted fault, and who noticed it.
struct MutantFinding {
  std::string op, fault;
  bool killed = false;         // by this audit
  bool common_killed = false;  // by the common check: every entry within 2e-2 of the reference, absolutely
};

/// One parameter tensor of a whole model.
struct LedgerEntry {
  std::string tensor;
  bool trained = true;
  Index entries = 0;      // numbers in the tensor
  Index compared = 0;     // of them, compared one by one with a central difference
  Index above_floor = 0;  // of those, with a gradient above the noise floor of the difference
  double gradient_norm = 0;
  double entry_error = 0;      // largest |dX − difference| / max(|dX|, floor) of an entry
  Index worst_entry = -1;      // where
  double direction_error = 0;  // the same along random directions through the whole tensor
  double bound = 0;
  double float_error = 0;  // ‖dX of the float build − dX‖ / ‖dX‖; 0 where the float build was not asked
  double float_bound = 0;

  /// A trained tensor: some entry above the floor, all within the bounds. A frozen one: no gradient.
  bool Passed() const {
    if (!trained) return gradient_norm == 0;
    return above_floor > 0 && gradient_norm > 0 && entry_error <= bound && direction_error <= bound &&
           float_error <= float_bound;
  }
};

struct Findings {
  std::string title;    // "ops and chain", or the model directory
  std::string command;  // that makes the same findings again
  double seconds = 0;
  std::vector<OpFinding> ops;
  std::vector<IdentityFinding> identities;
  std::vector<KernelFinding> kernels;
  std::vector<MutantFinding> mutants;
  std::vector<LedgerEntry> ledger;

  bool Passed() const;
};

}  // namespace ampgrad::audit
