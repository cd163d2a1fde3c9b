#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tensor/io/json.h"
#include "train/study/plans/arm.h"
#include "train/study/rate_search.h"

namespace ampgrad::train {

/// The held-out loss during a run.
struct HeldOutPoint {
  Index step = 0;  // after so many steps
  double loss = 0;
  double seconds = 0;  // that they took, without evaluations; NaN where the line has none
};

/// The part of LoRA's A inside span(B) during a run.
struct OverlapPoint {
  Index step = 0;
  double share = 0;  // ‖P·Bᵀ‖²/r, P [r, d] orthonormal rows that span those of A, B [r, d]: the mean over matrices
};

/// What one run of an arm gave. Losses are means over targets, in nats; NaN where a run that diverged has none.
struct StudyRun {
  Arm arm;
  uint64_t seed = 0;
  RateSearch rate;                              // of the arm, the same for every seed; a level has none
  std::string diverged;                         // where, as a sentence; empty for a run that ended
  double base_loss = 0;                         // held-out loss of the given model,
  double start_loss = 0;                        // at step 0,
  double end_loss = 0;                          // and after the last step
  double train_loss = 0;                        // of training samples, by the same evaluation, after the last step
  std::vector<double> curve;                    // loss of each step's batch, before the step
  std::vector<HeldOutPoint> held_out;           // after some of the steps
  std::vector<OverlapPoint> overlap;            // of `lora` alone; at step 0, too
  std::optional<double> answered;               // share of held-out problems whose generated answer is right
  Index trained = 0, total = 0;                 // numbers that train, and of the model
  Index optimizer_bytes = 0;                    // of AdamW's moments
  Index memory = 0;                             // most bytes of tensors at once
  double seconds = 0, seconds_per_step = 0;     // of the whole run, and of its steps alone
  std::map<std::string, double> change;         // ‖ΔW‖ by kind of matrix, against the given model
  double change_norm = 0, change_relative = 0;  // of all matrices of the blocks, and beside ‖W‖
  std::map<Index, double> inside;               // share of ‖ΔW‖² in the first K vectors of the universal basis
  std::optional<double> forgetting;             // loss on another text, after − before
  std::string instructions;                     // instruction set
  std::string bits;                             // digest of what was trained
};

/// [{"lr", "loss"}, …]; the loss of a run that diverged is null.
nlohmann::ordered_json ToJson(const std::vector<TriedRate>& rates);
/// A line of runs.jsonl and back. Numbers that are not finite are written as null.
nlohmann::ordered_json ToJson(const StudyRun& record);
/// Throws std::runtime_error for a line that lacks a field, with its place.
StudyRun ReadStudyRun(const io::JsonValue& line);

}  // namespace ampgrad::train
