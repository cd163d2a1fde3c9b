// Ten lines of tape: a network of two layers learns XOR, from the tape and the ops alone.
#include <cstdio>
#include <vector>

#include "autograd/ops.h"

using namespace ampgrad;

int main() {
  const Tensor inputs = Tensor::FromValues({4, 2}, {0, 0, 0, 1, 1, 0, 1, 1});
  const std::vector<int> targets = {0, 1, 1, 0};
  const auto draw = [](uint64_t stream, Shape shape) { return Random(1, stream).NormalTensor(shape, 1); };
  Param w1{"w1", draw(1, {8, 2}), {}}, b1{"b1", Tensor({8}), {}};
  Param w2{"w2", draw(2, {2, 8}), {}}, b2{"b2", Tensor({2}), {}};

  // The network: y = gelu(x·W₁ᵀ + b₁)·W₂ᵀ + b₂, a row of two logits for each input.
  const auto network = [&](Tape& tape) {
    const Var bias1 = tape.Leaf(b1), bias2 = tape.Leaf(b2);
    const Var h = ops::Gelu(ops::Linear(tape.Constant(inputs), tape.Leaf(w1), ops::Layout::kOutIn, &bias1));
    return ops::Linear(h, tape.Leaf(w2), ops::Layout::kOutIn, &bias2);
  };

  for (int step = 0; step <= 200; ++step) {
    Tape tape;
    const Var loss = ops::CrossEntropy(network(tape), targets, ops::CountTargets(targets));
    if (step % 50 == 0) std::printf("step %3d  loss %.4f\n", step, static_cast<double>(loss.value[0]));
    tape.Backward(loss);
    for (Param* p : {&w1, &b1, &w2, &b2}) {
      for (Index i = 0; i < p->value.size(); ++i) p->value[i] -= Real(0.5) * p->grad[i];  // gradient descent
      p->grad = Tensor();  // gradients add up: the next step begins from none
    }
  }

  Tape tape(Tape::Mode::kInference);
  const Tensor logits = network(tape).value;
  for (Index i = 0; i < 4; ++i) {
    const int answer = logits.row(i)[1] > logits.row(i)[0];
    std::printf("%g xor %g = %d\n", static_cast<double>(inputs.row(i)[0]), static_cast<double>(inputs.row(i)[1]),
                answer);
  }
}
