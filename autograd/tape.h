#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "tensor/kernels/simd/sink.h"
#include "tensor/tensor.h"

namespace ampgrad {

class Tape;

/// A parameter: a tensor that a module owns and an optimiser may train. It outlives tapes.
struct Param {
  std::string name;
  Tensor value;
  Tensor grad;  // same shape as value; empty until a backward pass reaches it
  bool trainable = true;
};

/// A value on a tape: a cheap handle that shares the tensor and owns no node.
struct Var {
  Tensor value;
  Tape* tape = nullptr;
  int node = -1;  // index on the tape; -1 when it needs no gradient

  const Shape& shape() const { return value.shape(); }
  bool needs_grad() const { return node >= 0; }
};

/// The gradients of an op's inputs, for its backward closure, which only ever adds to them. If an input needs no
/// gradient, nothing is added for it.
class InputGrads {
 public:
  InputGrads(Tape& tape, const std::vector<int>& inputs) : tape_(tape), inputs_(inputs) {}

  /// dX += part, for input `i`. The first part to arrive becomes dX itself. A parameter gets its own copy, because it
  /// outlives the pass and an optimiser may write to it.
  void Add(int i, const Tensor& part);
  /// Where a kernel adds its part to dX of input `i`. The kernel must write every element once. The first part to
  /// arrive sets the buffer without writing zeros before, unless inputs share it. False when input `i` needs no
  /// gradient.
  kernels::Sink AddTo(int i);
  /// dX of input `i`, initially zero, for a closure that adds to some elements only. Null when `i` needs no gradient.
  Tensor* AddWithin(int i);

  /// The tape that runs the closure.
  const Tape& tape() const { return tape_; }

 private:
  Tape& tape_;
  const std::vector<int>& inputs_;
  std::vector<Tensor> replaced_;  // buffers that a sink still reads
};

/// Adds to the inputs' gradients, given dY, the gradient of the op's output.
using BackwardFn = std::function<void(const Tensor& dY, InputGrads& d)>;

/// The record of a forward pass: its ops in execution order, which is a topological order, so the backward pass is a
/// reverse loop. The tape is the only owner of nodes and holds no forward value: a value lives as long as a Var or a
/// closure holds it, so what a pass keeps in memory is what the closures capture (each op's `saves` line).
/// It costs one std::function per node, which is negligible next to a matrix product.
class Tape {
 public:
  enum class Mode { kRecord, kInference };
  explicit Tape(Mode mode = Mode::kRecord) : mode_(mode) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// A constant: never differentiated.
  Var Constant(Tensor value) { return {std::move(value), this, -1}; }

  /// A parameter. If it is trainable and the tape records, its node adds into `param.grad`.
  Var Leaf(Param& param);

  /// Records an op and returns its output. An input that is null is absent. When no input needs a gradient, nothing is
  /// recorded and `backward` is dropped at once. `source` is where the op calls this function. Throws std::logic_error
  /// for an input of another tape.
  Var Record(const char* op, Tensor value, std::initializer_list<const Var*> inputs, BackwardFn backward,
             std::source_location source = std::source_location::current());

  /// Sees the gradient dY of a node's output before the node's closure runs.
  using Observer = std::function<void(int node, const Tensor& dY)>;

  /// Runs the closures from `loss`, a scalar, back to the first node. Each closure and its gradient are freed as soon
  /// as it has run. Throws std::invalid_argument when `loss` is not a scalar or needs no gradient, and std::logic_error
  /// on a second call.
  void Backward(const Var& loss, const Observer& observer = nullptr);
  /// The same from any output y, given its gradient dY of the same shape. Throws std::invalid_argument when the shapes
  /// differ, when y needs no gradient, or when it is of another tape.
  void Backward(const Var& y, const Tensor& dY, const Observer& observer = nullptr);

  /// Called before each op is recorded and before each closure runs, on this tape and on those of checkpointed parts:
  /// to measure what a pass holds in between.
  using Watch = std::function<void()>;
  void set_watch(Watch watch) { watch_ = std::move(watch); }
  const Watch& watch() const { return watch_; }

  /// The seed of what a training pass draws at random, such as dropout; none for a pass that draws nothing.
  void set_noise(std::optional<uint64_t> seed) { noise_ = seed; }
  const std::optional<uint64_t>& noise() const { return noise_; }

  Mode mode() const { return mode_; }
  /// Number of recorded nodes.
  Index size() const { return static_cast<Index>(nodes_.size()); }
  /// The op of a node ("param" for a leaf), the line that recorded it, the shape of its output, and the nodes of its
  /// inputs (-1 if constant or absent).
  const char* op(int node) const { return nodes_[node].op; }
  const std::source_location& source(int node) const { return nodes_[node].source; }
  const Shape& shape(int node) const { return nodes_[node].shape; }
  const std::vector<int>& inputs(int node) const { return nodes_[node].inputs; }
  /// The parameter of a leaf, else null.
  const Param* param(int node) const { return nodes_[node].param; }

 private:
  friend class InputGrads;

  struct Node {
    const char* op;
    Shape shape;
    std::vector<int> inputs;
    Param* param;  // leaves only
    Tensor grad;   // empty until touched; leaves use param->grad
    BackwardFn backward;
    std::source_location source;
  };

  /// The buffer that accumulates the gradient of a node; empty until touched. Another node may share it until one of
  /// them is written to.
  Tensor& GradOf(int node) { return nodes_[node].param ? nodes_[node].param->grad : nodes_[node].grad; }

  Mode mode_;
  std::vector<Node> nodes_;
  Watch watch_;
  std::optional<uint64_t> noise_;
  bool spent_ = false;
};

}  // namespace ampgrad
