#include <cmath>

#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {
namespace {

struct LossTerms {
  bool onehot = true, skips = true, incoming = true;
  double count = 3;  // that the mean divides by
};

// dlogits_nv = dloss·(softmax − onehot)/count for the targets of the case
Fault LossBackward(const std::vector<int>& targets, const LossTerms& terms) {
  return [=](Pass& p) {
    const Tensor& z = p.x[0];
    p.dX[0].Fill(0);
    for (Index n = 0; n < z.rows(); ++n) {
      if (terms.skips && targets[n] == ops::kIgnored) continue;
      double total = 0;
      for (Index v = 0; v < z.cols(); ++v) total += std::exp(z.row(n)[v]);
      for (Index v = 0; v < z.cols(); ++v) {
        const double onehot = terms.onehot && v == targets[n];
        const double dloss = terms.incoming ? p.dY[0] : 1;
        p.dX[0].row(n)[v] = static_cast<Real>(dloss * (std::exp(z.row(n)[v]) / total - onehot) / terms.count);
      }
    }
  };
}

}  // namespace

void PlantLoss(Planter& planter) {
  const std::vector<int> targets = {ops::kIgnored, 1, ops::kIgnored, 16, 0, ops::kIgnored};
  const OpCase loss = CrossEntropyCase(17, targets);
  planter.Plant(loss, "without the onehot", LossBackward(targets, {.onehot = false}));
  planter.Plant(loss, "without 1/count", LossBackward(targets, {.count = 1}));
  planter.Plant(loss, "ignored targets counted", LossBackward(targets, {.count = 6}));
  planter.Plant(loss, "rows without a target get a gradient", LossBackward(targets, {.skips = false}));
  planter.Plant(loss, "ignores the incoming gradient", LossBackward(targets, {.incoming = false}));
  const OpCase part = CrossEntropyCase(17, targets, 7);  // a part of a step of 7 targets
  planter.Plant(part, "divided by the targets of the part, not of the step", LossBackward(targets, {.count = 3}));
  planter.Plant(part, "divided by the rows of the part", LossBackward(targets, {.count = 6}));
  planter.Plant(part, "divided by the count twice", LossBackward(targets, {.count = 49}));
  planter.Plant(loss, "the gradient takes the place of logits that others hold",
                [](Pass& p) { WriteOver(p.x[0], p.dX[0]); });
  planter.Plant(CrossEntropyInPlaceCase(17, targets), "the gradient in the place of the logits is added to itself",
                Times(0, 2));
}

}  // namespace ampgrad::audit
