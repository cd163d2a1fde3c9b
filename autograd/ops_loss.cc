#include <string>

#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ops {
namespace {

// Number of targets that count; each must be in the vocabulary or kIgnored.
Index CountTargets(const std::vector<int>& targets, Index vocab) {
  Index count = 0;
  for (size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] == kIgnored) continue;
    if (targets[n] < 0 || targets[n] >= vocab) {
      Fail("cross_entropy", "expected targets in 0.." + std::to_string(vocab - 1) + " or " + std::to_string(kIgnored) +
                                ", found " + std::to_string(targets[n]) + " at position " + std::to_string(n));
    }
    ++count;
  }
  if (count == 0) Fail("cross_entropy", "there is no target: all positions are ignored");
  return count;
}

}  // namespace

// CrossEntropy   loss = mean over targets of −log softmax(logits)[target]
//   shapes    logits [N, V]   targets [N], kIgnored where there is none   loss scalar
//   forward   M_n = max_v logits_nv,   L_n = log Σ_v e^(logits_nv − M_n)
//             loss = Σ_n (L_n − (logits_n,target − M_n)) / count
//   backward  dlogits_nv = dloss·(e^(logits_nv − M_n − L_n) − [v = target_n]) / count; 0 where there is no target
//   saves     logits, targets, M and L (2N numbers); the probabilities (N·V) are computed again, in place of the logits
Var CrossEntropy(const Var& logits, const std::vector<int>& targets) {
  const Index rows = logits.shape().rows(), vocab = logits.shape().cols();
  CheckShapes(logits.shape().rank() == 2 && rows == static_cast<Index>(targets.size()), "cross_entropy",
              "logits [N, V], targets [N]",
              {{"logits", logits.shape()}, {"targets", {static_cast<Index>(targets.size())}}});
  const Index count = CountTargets(targets, vocab);

  Tensor max = Tensor::Uninitialized({rows}), log_sums = Tensor::Uninitialized({rows});
  const double sum =
      kernels::CrossEntropySum(logits.value.data(), targets.data(), rows, vocab, max.data(), log_sums.data());
  Tensor loss = Tensor::Scalar(static_cast<Real>(sum / static_cast<double>(count)));

  const auto backward = [=, logits = logits.value](const Tensor& dloss, InputGrads& d) mutable {
    // Logits that nobody else holds make room for their gradient: for a large vocabulary they are the largest tensor.
    const bool in_place = !logits.IsShared();
    const kernels::Sink dlogits = in_place ? kernels::Sink{logits.data()} : d.Into(0);
    kernels::CrossEntropyBackward(logits.data(), targets.data(), max.data(), log_sums.data(), rows, vocab,
                                  dloss[0] / static_cast<Real>(count), dlogits);
    if (in_place) d.Pass(0, logits);
  };
  return logits.tape->Record("cross_entropy", loss, {&logits}, backward);
}

}  // namespace ampgrad::ops
