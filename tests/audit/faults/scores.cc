#include <functional>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {
namespace {

// dS = dW·B'ᵀ, with every entry B_kj changed.
Fault OtherBasis(const Tensor& basis, const std::function<double(double entry, Index k, Index j)>& change) {
  Tensor other(basis.shape());
  for (Index n = 0; n < basis.size(); ++n) {
    other[n] = static_cast<Real>(change(basis[n], n / basis.cols(), n % basis.cols()));
  }
  return [=](Pass& p) {
    p.dX[0].Fill(0);
    kernels::ProductNT(p.dY, other, {p.dX[0].data(), p.dX[0].data()});
  };
}

void PlantReconstruct(Planter& planter) {
  const OpCase square = ReconstructCase(4, 17, 17, true), wide = ReconstructCase(17, 5, 33, true);
  const Tensor basis = ReconstructBasis(5, 33), mean = ReconstructCentre(17, 33, true);
  planter.Plant(square, "dS = dW·B instead of dW·Bᵀ", [](Pass& p) {
    p.dX[0].Fill(0);
    kernels::ProductNN(p.dY, ReconstructBasis(17, 17), {p.dX[0].data(), p.dX[0].data()});
  });
  planter.Plant(wide, "the mean row taken for part of the basis",
                OtherBasis(basis, [=](double entry, Index, Index j) { return entry + mean[j]; }));
  planter.Plant(wide, "the mean row taken for a trained scaling",
                OtherBasis(basis, [=](double entry, Index, Index j) { return entry * mean[j]; }));
  planter.Plant(wide, "the last column of dW is missed",
                OtherBasis(basis, [](double entry, Index, Index j) { return j < 32 ? entry : 0; }));
  planter.Plant(wide, "the last score is never trained",
                OtherBasis(basis, [](double entry, Index k, Index) { return k < 4 ? entry : 0; }));
  planter.Plant(wide, "dW centred before the product", [](Pass& p) {
    for (Index k = 0; k < 5; ++k) {
      Real mean = 0;
      for (Index i = 0; i < 17; ++i) mean += p.dX[0].row(i)[k] / 17;
      for (Index i = 0; i < 17; ++i) p.dX[0].row(i)[k] -= mean;
    }
  });
  planter.Plant(wide, "dS assigned, not added", Assign);
  planter.Plant(wide, "dS of the call before", [](Pass& p) { p.dX[0] = p.last_dX[0]; });
  planter.Plant(wide, "dS off by a factor of 1 + 1e-6", Times(0, 1 + 1e-6));
  planter.Plant(wide, "ignores the incoming gradient", OnesComeIn(wide));
  planter.Plant(wide, "a shared dS loses what it held", ReadTo);
  planter.Plant(wide, "adds into a dS that others hold", WriteOnto);
}

// dS = rows of dS' [n, k + 1], beginning at column `first`
Fault ColumnsFrom(Index first) {
  return [=](Pass& p) {
    for (Index i = 0; i < p.dY.rows(); ++i) std::copy_n(p.dY.row(i) + first, p.dX[0].cols(), p.dX[0].row(i));
  };
}

void PlantAppendOnes(Planter& planter) {
  const OpCase ones = AppendOnesCase(17, 5);
  planter.Plant(ones, "the ones are trained as the last score", [](Pass& p) {
    for (Index i = 0; i < 17; ++i) p.dX[0].row(i)[4] += p.dY.row(i)[5];
  });
  planter.Plant(ones, "the last score is taken for the ones", [](Pass& p) {
    for (Index i = 0; i < 17; ++i) p.dX[0].row(i)[4] = 0;
  });
  planter.Plant(ones, "as if the ones came first", ColumnsFrom(1));
  planter.Plant(ones, "rows of K + 1 read as rows of K",
                [](Pass& p) { std::copy_n(p.dY.begin(), 17 * 5, p.dX[0].begin()); });
  planter.Plant(ones, "dS assigned, not added", Assign);
  planter.Plant(ones, "the last row is missed", WithoutTail(0, 5));
  planter.Plant(ones, "what is there is read by rows of K + 1", [](Pass& p) {
    p.store = [](size_t, kernels::Sink ds, const Tensor& part) {
      for (Index i = 0; i < part.size(); ++i) {
        const Index from = std::min(i / 5 * 6 + i % 5, part.size() - 1);
        ds.to[i] = (ds.onto ? ds.onto[from] : Real(0)) + part[i];
      }
    };
  });
}

// Sets t to a product of gradients.
void Set(Tensor& t, void (*product)(const Tensor&, const Tensor&, kernels::Sink), const Tensor& a, const Tensor& b) {
  product(a, b, {t.data()});
}

void PlantOutIn(Planter& planter) {
  const OpCase wide = FactoredLinearCase(5, 33, 3, 7, Layout::kOutIn, true),
               square = FactoredLinearCase(9, 9, 9, 9, Layout::kOutIn, true);
  const Tensor basis = ReconstructBasis(3, 7), centre = ReconstructCentre(33, 7, false);
  planter.Plant(square, "dS = Pᵀ·dy instead of dyᵀ·P", [](Pass& p) { p.dX[1] = kernels::Transposed(p.dX[1]); });
  planter.Plant(square, "dS = dyᵀ·x, without Bᵀ", [](Pass& p) { Set(p.dX[1], kernels::ProductTN, p.dY, p.x[0]); });
  planter.Plant(square, "dS = dyᵀ·(x·B) instead of dyᵀ·(x·Bᵀ)", [](Pass& p) {
    Tensor projection(p.x[0].shape());
    Set(projection, kernels::ProductNN, p.x[0], ReconstructBasis(9, 9));
    Set(p.dX[1], kernels::ProductTN, p.dY, projection);
  });
  planter.Plant(square, "dx = dy·Wᵀ instead of dy·W", [](Pass& p) {
    Tensor w = ReconstructCentre(9, 9, false).Clone();
    kernels::ProductNN(p.x[1], ReconstructBasis(9, 9), {w.data(), w.data()});
    Set(p.dX[0], kernels::ProductNT, p.dY, w);
  });
  planter.Plant(wide, "P of another x",
                [=](Pass& p) { Set(p.dX[1], kernels::ProductTN, p.dY, ProjectOnto(basis, p.latest_x[0])); });
  planter.Plant(wide, "dx from W₀ instead of W", [=](Pass& p) { Set(p.dX[0], kernels::ProductNN, p.dY, centre); });
  planter.Plant(wide, "dx from S·B, without W₀", [=](Pass& p) {
    Tensor w({33, 7});
    Set(w, kernels::ProductNN, p.x[1], basis);
    Set(p.dX[0], kernels::ProductNN, p.dY, w);
  });
  planter.Plant(wide, "db is missing", Times(2, 0));
  planter.Plant(wide, "dS without the last row of x", [=](Pass& p) {
    Set(p.dX[1], kernels::ProductTN, p.dY.Rows(0, 4), ProjectOnto(basis, p.x[0]).Rows(0, 4));
  });
  planter.Plant(wide, "dS assigned, not added", Assign);
  planter.Plant(wide, "dS off by a factor of 1 + 1e-6", Times(1, 1 + 1e-6));
  planter.Plant(wide, "dS of the call before", [](Pass& p) { p.dX[1] = p.last_dX[1]; });
  planter.Plant(wide, "P is kept if x needs a gradient, not if S does", WhereFrozen(0, Times(1, 0)));
  planter.Plant(FactoredLinearCase(5, 33, 3, 7, Layout::kOutIn, false), "without a bias, db lands in dS",
                AbsentBiasLandsIn(1));
}

void PlantInOut(Planter& planter) {
  const OpCase wide = FactoredLinearCase(5, 33, 3, 7, Layout::kInOut, true),
               square = FactoredLinearCase(9, 9, 9, 9, Layout::kInOut, true);
  const Tensor basis = ReconstructBasis(3, 7), centre = ReconstructCentre(33, 7, false);
  planter.Plant(square, "dS = xᵀ·(dy·B) instead of xᵀ·(dy·Bᵀ)", [](Pass& p) {
    Tensor narrow(p.dY.shape());
    Set(narrow, kernels::ProductNN, p.dY, ReconstructBasis(9, 9));
    Set(p.dX[1], kernels::ProductTN, p.x[0], narrow);
  });
  planter.Plant(square, "dS = dyᵀ·(x·Bᵀ), of the other layout",
                [](Pass& p) { Set(p.dX[1], kernels::ProductTN, p.dY, ProjectOnto(ReconstructBasis(9, 9), p.x[0])); });
  planter.Plant(wide, "dS from another x",
                [=](Pass& p) { Set(p.dX[1], kernels::ProductTN, p.latest_x[0], ProjectOnto(basis, p.dY)); });
  planter.Plant(wide, "dx from W₀ instead of W", [=](Pass& p) { Set(p.dX[0], kernels::ProductNT, p.dY, centre); });
  planter.Plant(wide, "db is the first row only", [](Pass& p) { std::copy_n(p.dY.row(0), 7, p.dX[2].begin()); });
  planter.Plant(wide, "W is kept if S needs a gradient, not if x does", WhereFrozen(1, Times(0, 0)));
}

}  // namespace

void PlantScores(Planter& planter) {
  PlantReconstruct(planter);
  PlantAppendOnes(planter);
  PlantOutIn(planter);
  PlantInOut(planter);
}

}  // namespace ampgrad::audit
