#include <cmath>
#include <memory>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {
namespace {

void PlantEmbedding(Planter& planter) {
  const std::vector<int> ids = {6, 0, 3, 3, 6, 6, 1};
  const OpCase embedding = EmbeddingCase(7, 17, ids);
  planter.Plant(embedding, "a repeated id keeps its last row only", [ids](Pass& p) {
    for (size_t n = 0; n < ids.size(); ++n) std::copy_n(p.dY.row(static_cast<Index>(n)), 17, p.dX[0].row(ids[n]));
  });
  planter.Plant(embedding, "added to row n instead of row ids[n]", [](Pass& p) { p.dX[0] = p.dY.Clone(); });
  planter.Plant(embedding, "the ids are sorted when the closure reads them", [ids](Pass& p) {
    std::vector<int> sorted = ids;
    std::sort(sorted.begin(), sorted.end());
    p.dX[0].Fill(0);
    for (size_t n = 0; n < ids.size(); ++n) {
      for (Index j = 0; j < 17; ++j) p.dX[0].row(sorted[n])[j] += p.dY.row(static_cast<Index>(n))[j];
    }
  });
  planter.Plant(embedding, "rows that no id names are never set", [](Pass& p) {
    p.store = [](size_t i, kernels::Sink dtable, const Tensor& part) {
      AddPart(i, dtable, part);
      // Rows 4 and 5 show what new memory happens to hold.
      if (!dtable.onto) std::fill_n(dtable.to + 4 * 17, 2 * 17, Real(1));
    };
  });
}

void PlantLinear(Planter& planter) {
  const OpCase square = LinearCase(17, 7, 7, Layout::kOutIn, true), in_out = LinearCase(5, 3, 33, Layout::kInOut, true);
  planter.Plant(square, "dx = dy·Wᵀ instead of dy·W", [](Pass& p) {
    p.dX[0].Fill(0);
    kernels::ProductNT(p.dY, p.x[1], {p.dX[0].data(), p.dX[0].data()});
  });
  planter.Plant(square, "dW transposed", [](Pass& p) { p.dX[1] = kernels::Transposed(p.dX[1]); });
  planter.Plant(square, "dW without the last row of x", [](Pass& p) {
    p.dX[1].Fill(0);
    kernels::ProductTN(p.dY.Rows(0, 16), p.x[0].Rows(0, 16), {p.dX[1].data(), p.dX[1].data()});
  });
  planter.Plant(square, "dW assigned, not added", Assign);
  planter.Plant(square, "dW divided by the rows, as if y were a mean", Times(1, 1.0 / 17));
  planter.Plant(in_out, "db is the first row only", [](Pass& p) { std::copy_n(p.dY.row(0), 33, p.dX[2].begin()); });
  planter.Plant(in_out, "dx off by a factor of 1.001", Times(0, 1.001));
  planter.Plant(in_out, "dW off by a factor of 1 + 1e-6", Times(1, 1 + 1e-6));
  planter.Plant(in_out, "dW is all zeros", Times(1, 0));
  planter.Plant(in_out, "dW of the call before", [](Pass& p) { p.dX[1] = p.last_dX[1]; });
}

void PlantLinearBuffers(Planter& planter) {
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    const std::string text = layout == Layout::kOutIn ? "x·xᵀ" : "x·x";
    planter.PlantOnOneInput(LinearCase(7, 7, 7, layout, false), text + ": dW replaces dx", Assign);
  }
  const OpCase biased = LinearCase(5, 3, 33, Layout::kInOut, true), plain = LinearCase(5, 3, 33, Layout::kInOut, false);
  planter.Plant(plain, "without a bias, db lands in dW", AbsentBiasLandsIn(1));
  planter.Plant(biased, "x is kept if x needs a gradient, not if W does", WhereFrozen(0, Times(1, 0)));
  planter.Plant(biased, "W is kept if W needs a gradient, not if x does", WhereFrozen(1, Times(0, 0)));
  planter.Plant(biased, "db only where dW is wanted", WhereFrozen(1, Times(2, 0)));
  planter.Plant(biased, "a shared dx loses what it held", ReadTo);
}

void PlantFrozen(Planter& planter) {
  const OpCase square = FrozenLinearCase(17, 7, 7, Layout::kOutIn, true),
               wide = FrozenLinearCase(5, 3, 33, Layout::kInOut, true);
  planter.Plant(square, "dx = dy·Wᵀ instead of dy·W", [](Pass& p) {
    kernels::ProductNT(p.dY, FrozenWeight({7, 7}).Widened(), {p.dX[0].data()});
  });
  planter.Plant(wide, "dx from the float's lower half", [](Pass& p) {
    Tensor w = FrozenWeight({3, 33}).Widened();
    for (Real& x : w) x = std::ldexp(x, -16);
    kernels::ProductNT(p.dY, w, {p.dX[0].data()});
  });
  planter.Plant(wide, "db is missing", Times(1, 0));
  planter.Plant(wide, "dx misses the last row", WithoutTail(0, 3));
  planter.Plant(wide, "db only where dx is wanted", WhereFrozen(0, Times(1, 0)));
  planter.Plant(wide, "db assigned, not added", AssignOnly(1));
}

// dx by other numbers than those of the weight
Fault WithWeight(const Tensor& w, Layout layout) {
  return [=](Pass& p) {
    layout == Layout::kOutIn ? kernels::ProductNN(p.dY, w, {p.dX[0].data()})
                             : kernels::ProductNT(p.dY, w, {p.dX[0].data()});
  };
}

// The same bytes taken for numbers of another type.
Tensor Misread(const StoredTensor& w, StoredType as) {
  const auto owner = std::make_shared<StoredTensor>(w);
  return StoredTensor(as, w.shape(), std::shared_ptr<const void>(owner, owner->data())).Widened();
}

void PlantStoredTypes(Planter& planter) {
  const auto plant = [&](StoredType type, const std::string& fault, const auto& seen) {
    for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
      const StoredTensor w = FrozenWeight(layout == Layout::kOutIn ? Shape{33, 17} : Shape{17, 33}, type);
      planter.Plant(FrozenLinearCase(3, 17, 33, layout, false, type),
                    fault + (layout == Layout::kOutIn ? ", W [out, in]" : ", W [in, out]"),
                    WithWeight(seen(w), layout));
    }
  };
  plant(StoredType::kF16, "F16 read as BF16", [](const StoredTensor& w) { return Misread(w, StoredType::kBf16); });
  plant(StoredType::kBf16, "BF16 read as F16", [](const StoredTensor& w) { return Misread(w, StoredType::kF16); });
  plant(StoredType::kF32, "F32 rounded to BF16 for the way back",
        [](const StoredTensor& w) { return Rounded(w.Widened(), StoredType::kBf16).Widened(); });
}

}  // namespace

void PlantProducts(Planter& planter) {
  PlantEmbedding(planter);
  PlantLinear(planter);
  PlantLinearBuffers(planter);
  PlantFrozen(planter);
  PlantStoredTypes(planter);
}

}  // namespace ampgrad::audit
