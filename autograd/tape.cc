#include "autograd/tape.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tensor/kernels/kernels.h"

namespace ampgrad {

void InputGrads::Add(int i, const Tensor& part) {
  if (inputs_[i] < 0) return;
  Tensor& grad = tape_.GradOf(inputs_[i]);
  if (grad.empty()) {
    grad = tape_.param(inputs_[i]) ? part.Clone() : part;
  } else {
    const kernels::Sink dx = AddTo(i);
    kernels::Add(dx.onto, part.data(), dx.to, part.size());
  }
}

kernels::Sink InputGrads::AddTo(int i) {
  if (inputs_[i] < 0) return {};
  Tensor& grad = tape_.GradOf(inputs_[i]);
  // In Mul(x, x) both inputs are one node; after Add(x, y) dx and dy may be one buffer. If several inputs share one,
  // all parts are added, so that a closure may take all its sinks before it writes.
  const auto meets = [&](int node) { return node >= 0 && &tape_.GradOf(node) == &grad; };
  if (std::count_if(inputs_.begin(), inputs_.end(), meets) > 1) AddWithin(i);
  if (!grad.empty() && !grad.IsShared()) return {grad.data(), grad.data()};
  replaced_.push_back(grad);
  grad = Tensor::Uninitialized(tape_.shape(inputs_[i]));
  return {grad.data(), replaced_.back().data()};
}

Tensor* InputGrads::AddWithin(int i) {
  if (inputs_[i] < 0) return nullptr;
  Tensor& grad = tape_.GradOf(inputs_[i]);
  if (grad.empty()) grad = Tensor(tape_.shape(inputs_[i]));
  if (grad.IsShared()) grad = grad.Clone();
  return &grad;
}

Var Tape::Leaf(Param& param) {
  if (mode_ == Mode::kInference || !param.trainable) return Constant(param.value);
  nodes_.push_back({"param", param.value.shape(), {}, &param, {}, nullptr, std::source_location::current()});
  return {param.value, this, static_cast<int>(size()) - 1};
}

Var Tape::Record(const char* op, Tensor value, std::initializer_list<const Var*> inputs, BackwardFn backward,
                 std::source_location source) {
  if (watch_) watch_();
  std::vector<int> nodes;
  bool needs_grad = false;
  for (const Var* input : inputs) {
    if (input == nullptr) {
      nodes.push_back(-1);
      continue;
    }
    if (input->tape != this) {
      throw std::logic_error("[" + std::string(op) + "] an input belongs to another tape");
    }
    nodes.push_back(input->node);
    needs_grad |= input->needs_grad();
  }
  if (!needs_grad) return Constant(std::move(value));
  nodes_.push_back({op, value.shape(), std::move(nodes), nullptr, {}, std::move(backward), source});
  return {std::move(value), this, static_cast<int>(size()) - 1};
}

void Tape::Backward(const Var& loss, const Observer& observer) {
  if (loss.value.size() != 1) {
    throw std::invalid_argument("[backward] expected a scalar loss, found shape " + loss.shape().ToString());
  }
  Tensor one(loss.shape());
  one.Fill(1);
  Backward(loss, one, observer);
}

void Tape::Backward(const Var& y, const Tensor& dY, const Observer& observer) {
  if (y.tape != this || !y.needs_grad()) {
    throw std::invalid_argument("[backward] nothing below this loss is trained");
  }
  if (dY.shape() != y.shape()) {
    throw std::invalid_argument("[backward] expected a gradient of shape " + y.shape().ToString() + ", found " +
                                dY.shape().ToString());
  }
  if (std::exchange(spent_, true)) {
    throw std::logic_error("[backward] this tape has run already: record the forward pass again");
  }
  InputGrads(*this, std::vector<int>{y.node}).Add(0, dY);
  for (int i = y.node; i >= 0; --i) {
    Node& node = nodes_[i];
    if (node.param || node.grad.empty()) continue;  // a leaf, or no gradient arrived
    if (observer) observer(i, node.grad);
    if (watch_) watch_();
    InputGrads d(*this, node.inputs);
    node.backward(node.grad, d);
    node.backward = nullptr;
    node.grad = Tensor();
  }
}

}  // namespace ampgrad
