#include <cmath>
#include <functional>

#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {
namespace {

// dx_n = dy_n·slope(x_n)
Fault Slope(const std::function<double(double)>& slope) {
  return [=](Pass& p) {
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[0][n] = static_cast<Real>(p.dY[n] * slope(p.x[0][n]));
  };
}

void PlantSumsAndProducts(Planter& planter) {
  const OpCase add = AddCase({33}), mul = MulCase({5, 7});
  planter.Plant(add, "db with the wrong sign", Times(1, -1));
  planter.Plant(add, "gradients assigned, not added", Assign);
  planter.Plant(add, "da misses the last element", WithoutTail(0, 1));
  planter.PlantOnOneInput(add, "x + x: the second part replaces the first", Assign);
  planter.Plant(add, "a shared gradient loses what it held", ReadTo);
  planter.Plant(mul, "da uses its own factor: dy ⊙ a", [](Pass& p) {
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[0][n] = p.dY[n] * p.x[0][n];
  });
  planter.Plant(mul, "ignores the incoming gradient", OnesComeIn(mul));
  planter.Plant(mul, "one NaN in db", [](Pass& p) { p.dX[1][20] = kNaN; });
  planter.PlantOnOneInput(mul, "x ⊙ x: the second part replaces the first", Assign);
  planter.Plant(mul, "a is kept if a needs a gradient, not if b does", WhereFrozen(0, Times(1, 0)));
  planter.Plant(mul, "where b is frozen, a is kept for da", WhereFrozen(1, [](Pass& p) {
                  for (Index n = 0; n < p.dY.size(); ++n) p.dX[0][n] = p.dY[n] * p.x[0][n];
                }));
}

double Sigma(double x) { return 1 / (1 + std::exp(-x)); }

// σ(2u) + x·σ(1 − σ)·2u' with u' = √(2/π)·(1 + cubic·x²)
double GeluSlope(double x, double cubic) {
  const double c = std::sqrt(2 / M_PI), s = Sigma(2 * c * (x + 0.044715 * x * x * x));
  return s + x * s * (1 - s) * 2 * c * (1 + cubic * x * x);
}

void PlantActivations(Planter& planter) {
  const OpCase gelu = GeluCase({33}), silu = SiluCase({17});
  planter.Plant(gelu, "derivative of the erf form", Slope([](double x) {
                  return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
                }));
  planter.Plant(gelu, "u' without the cubic term", Slope([](double x) { return GeluSlope(x, 0); }));
  planter.Plant(gelu, "u' without the 3 of the cubic term", Slope([](double x) { return GeluSlope(x, 0.044715); }));
  planter.Plant(gelu, "reads the x of a later call", OfLaterCall(gelu));
  planter.Plant(gelu, "keeps y, where it needs x", [](Pass& p) {
    for (Index n = 0; n < p.dY.size(); ++n) p.dX[0][n] = static_cast<Real>(p.dY[n] * GeluSlope(p.y[n], 3 * 0.044715));
  });
  planter.Plant(gelu, "dx is written over dy, which others hold", [](Pass& p) { WriteOver(p.dY, p.dX[0]); });
  planter.Plant(silu, "without x·σ(1 − σ)", Slope(Sigma));
  planter.Plant(silu, "x·σ(1 − σ) with the wrong sign",
                Slope([](double x) { return Sigma(x) - x * Sigma(x) * (1 - Sigma(x)); }));
  planter.Plant(silu, "misses the tail behind the last vector", WithoutTail(0, 1));
  planter.Plant(silu, "dx is written over x, which others hold", [](Pass& p) { WriteOver(p.x[0], p.dX[0]); });
  planter.Plant(silu, "adds into a gradient that others hold", WriteOnto);
}

}  // namespace

void PlantElementwise(Planter& planter) {
  PlantSumsAndProducts(planter);
  PlantActivations(planter);
}

}  // namespace ampgrad::audit
