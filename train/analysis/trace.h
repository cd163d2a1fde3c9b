#pragma once

#include <array>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "train/data/batch.h"
#include "train/methods/method.h"

namespace ampgrad::train {

/// A node on the way from the loss to the number.
struct TraceStep {
  std::string op;
  std::string source;    // the line that recorded it: "autograd/ops_loss.cc:55"
  std::string shape;     // of its output Y
  double gradient_norm;  // ‖dY‖
};

/// A node of the tape that the gradient reached.
struct TraceNode {
  TraceStep step;
  std::string param;           // the name of a leaf's parameter; "" for an op
  std::vector<size_t> inputs;  // nodes of the list, all behind this one
  bool on_path;
};

/// The whole gradient chain of one trained number θ of a matrix W, at step 0.
struct Trace {
  std::string part;  // the role of the parameter that θ belongs to: "scores", "A"
  double loss;
  std::vector<TraceStep> path;   // the shortest way from the loss to θ
  std::vector<TraceNode> graph;  // in the order of the backward pass, from the loss on
  // How many steps of the path lead to W, whose form makes the others; 0 where θ is one of W itself.
  size_t to_w;
  Index row;                                   // the row of W that θ moves most
  std::vector<double> dw_row;                  // this row of dW
  std::vector<double> change_row;              // this row of ∂W/∂θ, for a score a row of B
  double dot;                                  // Σ dW ∘ ∂W/∂θ over all of W, in double
  double gradient;                             // dθ as the backward pass left it
  double difference;                           // the central difference of the loss in θ, fourth order
  double shift;                                // its step h
  std::array<double, 4> shifted;               // the losses at θ − 2h, θ − h, θ + h and θ + 2h
  double value, moment1, moment2, next_value;  // θ, AdamW's moments after its first step, and θ after it
};

/// Which number, and how it would be trained.
struct TraceOptions {
  std::string weight;         // name of the matrix
  std::string part = {};      // role of the parameter; default: the first of the form that trains
  Index row = 0, column = 0;  // in it; a vector has one column
  double lr = 1e-2;
};

/// Follows one number through a batch, in a model that is prepared for training by the explicit chain. W must be affine
/// in each number, as it is in every form; the norms of DoRA are held, as its backward does. Throws std::runtime_error
/// when the weight, the part, the row or the column does not exist; the message names those that do.
Trace FollowNumber(models::LanguageModel& model, const Batch& batch, const TraceOptions& options);

/// One screen of text. `label` says how the model is trained: "exact K=8".
std::string FormatTrace(const Trace& trace, const TraceOptions& options, const std::string& label);

}  // namespace ampgrad::train
