#include "tests/audit/buffer_audit.h"

#include <cmath>

#include "tests/support/small_models.h"

namespace ampgrad::audit {
namespace {

constexpr uint64_t kPartStream = 0x706172;

// Every set of inputs frozen in turn, but for none and all of them.
void FreezeInputs(const OpCase& op_case, uint64_t seed, BufferErrors& errors) {
  std::vector<Param> all = Trainable(Values(op_case));
  const std::vector<Param> fresh = all;
  ForwardBackward(op_case.run, all, seed);
  for (unsigned set = 1; set + 1 < 1u << all.size(); ++set) {
    std::vector<Param> some = fresh;
    for (size_t i = 0; i < some.size(); ++i) some[i].trainable = !(set >> i & 1);
    ForwardBackward(op_case.run, some, seed);
    for (size_t i = 0; i < some.size(); ++i) {
      if (!some[i].trainable) {
        errors.frozen += !some[i].grad.empty();
      } else {
        errors.changed += some[i].grad.empty() || !SameBits(some[i].grad, all[i].grad);
      }
    }
  }
}

// The inputs are no leaves here, and when the op's backward runs another closure has given each a part of its gradient,
// which it goes on to hold, as the sum at the end of a residual block does. It holds the incoming gradient, too.
void ShareGradients(const OpCase& op_case, uint64_t seed, BufferErrors& errors) {
  const std::vector<Tensor> x = Values(op_case);
  std::vector<Param> params = Trainable(x);
  Tape tape;
  Vars vars;
  std::vector<Tensor> held;
  for (Param& param : params) {
    const Var leaf = tape.Leaf(param);
    vars.push_back(tape.Record("through", param.value, {&leaf}, [](const Tensor& dY, InputGrads& d) { d.Add(0, dY); }));
    held.push_back(Random(seed, kPartStream + held.size()).NormalTensor(param.value.shape(), 1));
  }
  const Var y = op_case.run(tape, vars);
  if (!y.needs_grad()) return;
  held.push_back(IncomingGradient(y.shape(), seed));
  const auto input = [&](size_t i) { return i < vars.size() ? &vars[i] : nullptr; };
  const Var end = tape.Record("end", Tensor::Scalar(0), {input(0), input(1), input(2), input(3), &y},
                              [held](const Tensor&, InputGrads& d) {
                                for (size_t i = 0; i + 1 < held.size(); ++i) d.Add(static_cast<int>(i), held[i]);
                                d.Add(4, held.back());
                              });
  std::vector<Tensor> shared = held, before;
  shared.insert(shared.end(), x.begin(), x.end());
  for (const Tensor& tensor : shared) before.push_back(tensor.Clone());
  const std::vector<Tensor> gradients = GradientsOf(op_case.run, x, held.back());
  tape.Backward(end);

  for (size_t i = 0; i < shared.size(); ++i) errors.overwritten += !SameBits(shared[i], before[i]);
  for (size_t i = 0; i < params.size(); ++i) {
    std::vector<double> expected = ToDoubles(before[i]);
    for (size_t n = 0; n < expected.size(); ++n) expected[n] += gradients[i][static_cast<Index>(n)];
    errors.lost = Worst(errors.lost, Compare(params[i].grad, expected).relative_error);
  }
}

}  // namespace

BufferErrors AuditBuffers(const OpCase& op_case, uint64_t seed) {
  BufferErrors errors;
  FreezeInputs(op_case, seed, errors);
  ShareGradients(op_case, seed, errors);
  return errors;
}

}  // namespace ampgrad::audit
