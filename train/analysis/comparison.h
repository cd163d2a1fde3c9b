#pragma once

#include <string>
#include <vector>

#include "models/language_model.h"
#include "tensor/io/json.h"
#include "tensor/io/safetensors_writer.h"
#include "train/adamw.h"
#include "train/data/batch.h"

namespace ampgrad::train {

/// How far a group of numbers lies from the reference.
struct GroupResult {
  std::string group;  // "logits", "gradients", "score gradients, exact start", …
  std::string worst;  // the tensor with the largest error
  double error = 0;  // ‖ours − reference‖ / ‖reference‖ of that tensor (Frobenius); for the basis, of the subspace
  double bound = 0;
  Index tensors = 0;  // how many were compared

  bool Passed() const { return error <= bound; }  // false for NaN
};

/// What was compared with a reference: in float within 1e-5, loss curves within 1e-4; in the double build 1e-9. Numbers
/// bring a bound of their own.
struct Comparison {
  std::vector<GroupResult> groups;
  std::vector<io::NamedTensor> own;  // our numbers under the reference's names

  bool Passed() const;
  /// Records our tensor, once for each name, and its error in a group, which keeps the worst error.
  void Add(const std::string& group, const std::string& name, const Tensor& own, double error);
  /// The same, with the error of `own` against a tensor of as many numbers.
  void AddTensor(const std::string& group, const std::string& name, const Tensor& own, const Tensor& reference);
  /// A number, with its relative error, in a group of this bound.
  void AddNumber(double bound, const std::string& group, const std::string& name, double own, double reference);
  /// Trains `model` on one batch, and compares the loss before each step and after the last with `reference`.
  void AddCurve(const std::string& name, models::LanguageModel& model, const Batch& batch, const AdamWOptions& settings,
                double lr, const io::JsonValue& reference);

 private:
  void AddWithin(double bound, const std::string& group, const std::string& name, const Tensor& own, double error);
};

/// ‖own − reference‖ / ‖reference‖; infinite when only one of them is zero, or when their sizes differ.
double RelativeError(const Tensor& own, const Tensor& reference);

/// Settings of AdamW as the members betas, eps and weight_decay of an object.
AdamWOptions ReadAdamW(const io::JsonValue& object);
/// A rate in 0..1e30.
double ReadRate(const io::JsonValue& value);

}  // namespace ampgrad::train
