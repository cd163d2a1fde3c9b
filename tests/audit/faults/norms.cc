#include <cmath>
#include <utility>

#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {
namespace {

// What a norm's backward may leave out. dx = rstd·(g − mean(g) − x̂·mean(g ⊙ x̂)),  g = dy ⊙ gain
struct NormTerms {
  bool centred = true;  // LayerNorm; else RmsNorm
  bool mean = true, x_hat = true, gain = true;
  bool later = false;  // mean and rstd of a later call
  double eps = 1e-5;
  double lost = 0;  // the means divide by C − lost
};

Fault NormBackward(const NormTerms& terms) {
  return [=](Pass& p) {
    const Tensor &x = p.x[0], &from = terms.later ? p.latest_x[0] : x;
    const Index cols = x.cols();
    const double count = static_cast<double>(cols);
    for (Index n = 0; n < x.rows(); ++n) {
      double mean = 0, square = 0, g_mean = 0, gx_mean = 0;
      for (Index j = 0; terms.centred && j < cols; ++j) mean += from.row(n)[j] / count;
      for (Index j = 0; j < cols; ++j) square += (from.row(n)[j] - mean) * (from.row(n)[j] - mean) / count;
      const double rstd = 1 / std::sqrt(square + terms.eps);
      const auto g = [&](Index j) { return p.dY.row(n)[j] * (terms.gain ? p.x[1][j] : 1.0); };
      const auto x_hat = [&](Index j) { return (x.row(n)[j] - mean) * rstd; };
      for (Index j = 0; j < cols; ++j) {
        if (terms.mean) g_mean += g(j) / (count - terms.lost);
        if (terms.x_hat) gx_mean += g(j) * x_hat(j) / (count - terms.lost);
      }
      for (Index j = 0; j < cols; ++j) {
        p.dX[0].row(n)[j] = static_cast<Real>(rstd * (g(j) - g_mean - x_hat(j) * gx_mean));
      }
    }
  };
}

}  // namespace

void PlantNorms(Planter& planter) {
  const OpCase layer = LayerNormCase(3, 17), rms = RmsNormCase(3, 17);
  planter.Plant(layer, "dx without mean(g)", NormBackward({.mean = false}));
  planter.Plant(layer, "dx without the x̂ term", NormBackward({.x_hat = false}));
  planter.Plant(layer, "dx without the gain", NormBackward({.gain = false}));
  planter.Plant(layer, "means over C − 1", NormBackward({.lost = 1}));
  planter.Plant(layer, "dgain of x, not of x̂", [](Pass& p) {
    p.dX[1].Fill(0);
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[1][n % 17] += p.dY[n] * p.x[0][n];
  });
  planter.Plant(layer, "dgain and dbias change places", [](Pass& p) { std::swap(p.dX[1], p.dX[2]); });
  planter.Plant(layer, "dbias only where dgain is wanted", WhereFrozen(1, Times(2, 0)));
  planter.Plant(layer, "mean and rstd of a later call", NormBackward({.later = true}));
  planter.Plant(rms, "dx without the x̂ term", NormBackward({.centred = false, .mean = false, .x_hat = false}));
  planter.Plant(rms, "dx of LayerNorm", NormBackward({.centred = false, .mean = true}));
  planter.Plant(rms, "eps forgotten in the backward", NormBackward({.centred = false, .mean = false, .eps = 0}));
  planter.Plant(rms, "dgain is the first row only", [](Pass& p) {
    for (Index j = 0; j < 17; ++j) p.dX[1][j] = p.dY[j] * p.y[j] / p.x[1][j];
  });
  planter.Plant(rms, "a frozen gain is not kept",
                WhereFrozen(1, NormBackward({.centred = false, .mean = false, .gain = false})));
  planter.Plant(rms, "dgain set anew, not added", AssignOnly(1));
  planter.Plant(rms, "a shared dx loses what it held", ReadTo);
}

}  // namespace ampgrad::audit
