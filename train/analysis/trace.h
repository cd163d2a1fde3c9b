#pragma once

#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "models/language_model.h"
#include "train/adamw.h"
#include "train/data/batch.h"

namespace ampgrad::train {

/// A node on the way from the loss to the score.
struct TraceStep {
  std::string op;
  std::string source;    // the line that recorded it: "autograd/ops_loss.cc:55"
  std::string shape;     // of its output Y
  double gradient_norm;  // ‖dY‖
};

/// The whole gradient chain of one score: S_rc of one matrix, at step 0.
struct ScoreTrace {
  double loss;
  std::vector<TraceStep> path;                 // the shortest way from the loss to W
  std::vector<double> dw_row;                  // row r of dW [d]
  std::vector<double> basis_row;               // row c of B [d]
  double dot;                                  // their dot product, in double
  double gradient;                             // dS_rc as the backward pass left it
  double difference;                           // the central difference of the loss in S_rc, fourth order
  double score, moment1, moment2, next_score;  // S_rc, AdamW's moments after its first step, and S_rc after it
};

/// Which score, and how it would be trained.
struct TraceOptions {
  std::string weight;  // name of the matrix
  Index row = 0, component = 0;
  Index k = 8;
  ct::Start start = ct::Start::kExact;
  double lr = 1e-2;
};

/// Puts `model` into amplitude form and follows one score through a batch. Throws std::runtime_error when the weight,
/// the row or the component does not exist; the message names those that do.
ScoreTrace TraceScore(models::LanguageModel& model, const Batch& batch, const TraceOptions& options);

/// One screen of text.
std::string FormatTrace(const ScoreTrace& trace, const TraceOptions& options);

}  // namespace ampgrad::train
