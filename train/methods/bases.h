#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "ct/bases.h"
#include "models/language_model.h"
#include "train/data/batch.h"
#include "train/methods/scope.h"

namespace ampgrad::train {

struct MethodSettings;

/// The basis of each matrix: one for all, or one for each by its name.
class Bases {
 public:
  Bases() = default;
  /// One for all; null for none.
  Bases(std::shared_ptr<const ct::Basis> shared) : shared_(std::move(shared)) {}
  explicit Bases(const std::vector<ct::BasisGroup>& groups);

  bool empty() const { return !shared_ && of_matrix_.empty(); }
  /// The one basis that serves all matrices, or null.
  const std::shared_ptr<const ct::Basis>& shared() const { return shared_; }
  /// The basis of a matrix. Throws std::invalid_argument when it has none.
  const std::shared_ptr<const ct::Basis>& Of(const std::string& matrix) const;

 private:
  std::shared_ptr<const ct::Basis> shared_;
  std::map<std::string, std::shared_ptr<const ct::Basis>> of_matrix_;
};

/// Calls `body` with the rows [n, d] of dW of each matrix in scope that `policy` selects, batch after batch, by the
/// explicit chain. `given` stays as it is.
void ForEachGradient(models::LanguageModel& given, const Scope& scope, ct::RowsPolicy policy,
                     const std::vector<Batch>& batches, const std::function<void(const Tensor& rows)>& body);

/// The bases that a method is made from; empty when it needs none. A basis of the kind `gradient` is computed from the
/// gradients of the matrices in scope on `batches`, by the explicit chain. Throws as ct::ComputeBases does.
Bases MakeBases(models::LanguageModel& model, const MethodSettings& settings, const ct::RowSample& sample,
                const std::vector<Batch>& batches);

}  // namespace ampgrad::train
