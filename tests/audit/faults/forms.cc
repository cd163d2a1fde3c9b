#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tests/audit/cases/form_cases.h"
#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {
namespace {

// dX of input `i` is a product of two tensors.
template <class Left, class Right>
Fault ProductOf(size_t i, void (*product)(const Tensor&, const Tensor&, kernels::Sink), Left left, Right right) {
  return [=](Pass& p) { product(left(p), right(p), {p.dX[i].data()}); };
}

Tensor DY(const Pass& p) { return p.dY; }

void PlantScales(Planter& planter) {
  const OpCase scale = ScaleCase({17}, -1.75), rows = ScaleRowsCase(5, 17), columns = ScaleColumnsCase(5, 17, true);
  planter.Plant(scale, "the factor is forgotten on the way back", Times(0, -1 / 1.75));
  planter.Plant(scale, "dx divided by the factor", Times(0, 1 / (1.75 * 1.75)));
  planter.Plant(scale, "dx assigned, not added", Assign);
  planter.Plant(scale, "the last element is missed", WithoutTail(0, 1));
  planter.Plant(rows, "dx = dy, without g", [](Pass& p) { p.dX[0] = p.dY.Clone(); });
  planter.Plant(rows, "dg is the sum of dy, without x", [](Pass& p) {
    for (Index i = 0; i < 5; ++i) p.dX[1][i] = 0;
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[1][n / 17] += p.dY[n];
  });
  planter.Plant(rows, "dg of another x", OfLaterCall(rows));
  planter.Plant(rows, "dg assigned, not added", AssignOnly(1));
  planter.Plant(rows, "x is kept if x needs a gradient, not if g does", WhereFrozen(0, Times(1, 0)));
  planter.Plant(columns, "dg is a mean", Times(1, 0.2));
  planter.Plant(columns, "db is scaled by g, too", [](Pass& p) {
    for (Index j = 0; j < 17; ++j) p.dX[2][j] *= p.x[1][j];
  });
  planter.Plant(columns, "db is missing", Times(2, 0));
  planter.Plant(columns, "dx of the call before", [](Pass& p) { p.dX[0] = p.last_dX[0]; });
  planter.Plant(columns, "g is kept if g needs a gradient, not if x does", WhereFrozen(1, Times(0, 0)));
}

void PlantProductsOfFactors(Planter& planter) {
  const OpCase wide = AddProductCase(17, 5, 33), square = AddProductCase(7, 7, 7);
  const auto b = [](const Pass& p) { return p.x[0]; };
  const auto a = [](const Pass& p) { return p.x[1]; };
  planter.Plant(square, "dB = dW·A instead of dW·Aᵀ", ProductOf(0, kernels::ProductNN, DY, a));
  planter.Plant(square, "dA = B·dW instead of Bᵀ·dW", ProductOf(1, kernels::ProductNN, b, DY));
  planter.Plant(square, "dB and dA change places", [](Pass& p) { std::swap(p.dX[0], p.dX[1]); });
  planter.Plant(wide, "A is frozen", Times(1, 0));
  planter.Plant(wide, "dA assigned, not added", AssignOnly(1));
  planter.Plant(wide, "dB from another A", OfLaterCall(wide));
  planter.Plant(wide, "A is kept if A needs a gradient, not if B does", WhereFrozen(1, Times(0, 0)));
}

void PlantLowRankLinear(Planter& planter) {
  const OpCase out_in = LowRankLinearCase(5, 7, 33, 3, Layout::kOutIn, true, StoredType::kF32),
               in_out = LowRankLinearCase(5, 7, 33, 3, Layout::kInOut, true, StoredType::kF32),
               square = LowRankLinearCase(7, 7, 7, 7, Layout::kOutIn, false);
  const auto p_of = [](const Pass& p) { return p.x[1]; };
  const auto b = [](const Pass& p) { return p.x[2]; };
  planter.Plant(square, "dP = dy·Bᵀ instead of dy·B", ProductOf(1, kernels::ProductNT, DY, b));
  planter.Plant(square, "dB = Pᵀ·dy instead of dyᵀ·P", ProductOf(2, kernels::ProductTN, p_of, DY));
  planter.Plant(square, "dx = dy·W₀ᵀ instead of dy·W₀", [](Pass& p) {
    kernels::ProductNT(p.dY, FrozenWeight({7, 7}).Widened(), {p.dX[0].data()});
  });
  planter.Plant(out_in, "dx is missing: as if W₀ were not there", Times(0, 0));
  planter.Plant(in_out, "dB off by a factor of 1 + 1e-6", Times(2, 1 + 1e-6));
  planter.Plant(in_out, "db is the first row only", [](Pass& p) { std::copy_n(p.dY.row(0), 33, p.dX[3].begin()); });
  planter.Plant(out_in, "dB assigned, not added", AssignOnly(2));
  planter.Plant(out_in, "P is kept if P needs a gradient, not if B does", WhereFrozen(1, Times(2, 0)));
  planter.Plant(in_out, "dP of the call before", [](Pass& p) { p.dX[1] = p.last_dX[1]; });
}

void PlantSparse(Planter& planter) {
  const OpCase some = AddAtCase(5, 7, 3);  // values at 34, 31, 28, …
  planter.Plant(some, "positions taken in rising order", [](Pass& p) { std::reverse(p.dX[0].begin(), p.dX[0].end()); });
  planter.Plant(some, "the first entries of dW instead of those at the positions",
                [](Pass& p) { std::copy_n(p.dY.begin(), p.dX[0].size(), p.dX[0].begin()); });
  planter.Plant(some, "positions of the transposed matrix", [](Pass& p) {
    for (Index i = 0; i < p.dX[0].size(); ++i) {
      const Index at = 34 - 3 * i;
      p.dX[0][i] = p.dY[at % 7 * 5 + at / 7];
    }
  });
  planter.Plant(some, "dv assigned, not added", Assign);
  planter.Plant(some, "the last value is never trained", WithoutTail(0, 1));
}

void PlantDropout(Planter& planter) {
  const OpCase dropout = DropoutCase({5, 7}, 0.25);
  planter.Plant(dropout, "dx is not divided by what is kept", Times(0, 0.75));
  planter.Plant(dropout, "dropped elements have a gradient, too", [](Pass& p) {
    for (Index i = 0; i < p.dY.size(); ++i) p.dX[0][i] = p.dY[i] / Real(0.75);
  });
  planter.Plant(dropout, "another mask on the way back", [](Pass& p) {
    Tape tape(Tape::Mode::kInference);
    p.dX[0] = ops::Dropout(tape.Constant(p.dY), 0.25, Random(8, 1)).value;
  });
  planter.Plant(dropout, "dx assigned, not added", Assign);
}

}  // namespace

void PlantForms(Planter& planter) {
  PlantScales(planter);
  PlantProductsOfFactors(planter);
  PlantLowRankLinear(planter);
  PlantSparse(planter);
  PlantDropout(planter);
}

}  // namespace ampgrad::audit
