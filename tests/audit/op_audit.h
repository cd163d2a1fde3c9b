#pragma once

#include <cstdint>
#include <vector>

#include "tests/audit/findings.h"
#include "tests/audit/op_cases.h"

namespace ampgrad::audit {

/// The gradient of an op by each of its inputs, seen in three ways that share no derivation: the complex step of the
/// scalar reference element by element, the adjoint identity along a random direction, and the Taylor remainder of the
/// op itself.
std::vector<OpFinding> AuditOp(const OpCase& op_case, uint64_t seed);

/// Whether AuditOp or AuditBuffers has anything against the case.
bool AuditRefuses(const OpCase& op_case, uint64_t seed);

/// Whether the common check has: every entry of dX within 2e-2 of the reference, absolutely, after one backward, as in
/// test_gpt2.c of llm.c. Such checks see the gradients of a mean over the tokens of a batch, which makes them small, so
/// this one is asked at that size: an output row stands for one of the 256 tokens of that test, and its normal incoming
/// gradient is divided by 256. (There a weight's gradient adds up all 256 rows, here only those of the case; but there
/// the whole row of an incoming gradient is about 1/256 long, here every entry is.)
bool CommonCheckRefuses(const OpCase& op_case, uint64_t seed);

}  // namespace ampgrad::audit
