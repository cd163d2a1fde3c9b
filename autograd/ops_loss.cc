#include <algorithm>
#include <string>

#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ops {
namespace {

// Each target must be in the vocabulary or kIgnored. `count` must be at least the number of targets in the vocabulary.
void CheckTargets(const std::vector<int>& targets, Index vocab, Index count) {
  for (size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] == kIgnored || (targets[n] >= 0 && targets[n] < vocab)) continue;
    Fail("cross_entropy", "expected targets in 0.." + std::to_string(vocab - 1) + " or " + std::to_string(kIgnored) +
                              ", found " + std::to_string(targets[n]) + " at position " + std::to_string(n));
  }
  const Index present = CountTargets(targets);
  if (count >= 1 && count >= present) return;
  if (present == 0) Fail("cross_entropy", "there is no target: all positions are ignored");
  Fail("cross_entropy", "expected a count of at least the " + std::to_string(present) +
                            " targets that are here, found " + std::to_string(count));
}

}  // namespace

Index CountTargets(const std::vector<int>& targets) {
  return std::count_if(targets.begin(), targets.end(), [](int target) { return target != kIgnored; });
}

// CrossEntropy   loss = Σ over targets of −log softmax(logits)[target] / count
//   shapes    logits [N, V]   targets [N], kIgnored where there is none   loss scalar
//   forward   M_n = max_v logits_nv,   L_n = log Σ_v e^(logits_nv − M_n)
//             loss = Σ_n (L_n − (logits_n,target − M_n)) / count
//   backward  dlogits_nv += dloss·(e^(logits_nv − M_n − L_n) − [v = target_n]) / count; 0 where there is no target
//   saves     logits, targets, M and L (2N numbers); the probabilities (N·V) are computed again, in place of the logits
Var CrossEntropy(const Var& logits, const std::vector<int>& targets, Index count) {
  const Index rows = logits.shape().rows(), vocab = logits.shape().cols();
  CheckShapes(logits.shape().rank() == 2 && rows == static_cast<Index>(targets.size()), "cross_entropy",
              "logits [N, V], targets [N]",
              {{"logits", logits.shape()}, {"targets", {static_cast<Index>(targets.size())}}});
  CheckTargets(targets, vocab, count);

  Tensor max = Tensor::Uninitialized({rows}), log_sums = Tensor::Uninitialized({rows});
  const double sum =
      kernels::CrossEntropySum(logits.value.data(), targets.data(), rows, vocab, max.data(), log_sums.data());
  Tensor loss = Tensor::Scalar(static_cast<Real>(sum / static_cast<double>(count)));

  const auto backward = [logits = logits.value, targets, max, log_sums, rows, vocab, count](const Tensor& dloss,
                                                                                            InputGrads& d) mutable {
    // Logits that no Var and no other op holds any more are overwritten by their gradient: with a large vocabulary they
    // are the largest tensor. The bits are the same; to hold them costs memory alone.
    const bool in_place = !logits.IsShared();
    const kernels::Sink dlogits = in_place ? kernels::Sink{logits.data()} : d.AddTo(0);
    kernels::CrossEntropyBackward(logits.data(), targets.data(), max.data(), log_sums.data(), rows, vocab,
                                  dloss[0] / static_cast<Real>(count), dlogits);
    if (in_place) d.Add(0, logits);
  };
  return logits.tape->Record("cross_entropy", loss, {&logits}, backward);
}

}  // namespace ampgrad::ops
