#pragma once

#include "tests/audit/op_cases.h"

/// One case each of the ops that weight forms are made of.
namespace ampgrad::audit {

OpCase ScaleCase(Shape shape, double factor);
OpCase ScaleRowsCase(Index n, Index d);
OpCase ScaleColumnsCase(Index rows, Index d, bool with_bias);
/// C is ReconstructCentre(n, d).
OpCase AddProductCase(Index n, Index r, Index d);
/// The inputs are x, P, B and, if there is one, b. The constant weight is FrozenWeight of its shape.
OpCase LowRankLinearCase(Index rows, Index in, Index out, Index r, Layout layout, bool with_bias,
                         StoredType type = StoredType::kBf16);
/// C is ReconstructCentre(n, d); values at every `step`-th position, from the last to the first.
OpCase AddAtCase(Index n, Index d, Index step);
OpCase DropoutCase(Shape shape, double rate);

void AddForms(std::vector<OpCase>& cases);

}  // namespace ampgrad::audit
