#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "nn/matrix.h"

namespace ampgrad::ct {

/// Where amplitude-only fine-tuning starts from.
enum class Start {
  kReconstructed,  // W = S·B + μ: what the basis does not span is thrown away (the papers' way)
  kExact,          // W = ΔS·B + W₀ with ΔS = 0: step 0 is the pretrained model, bit for bit
};

const char* ToString(Start start);
/// "reconstructed" or "exact"; throws std::invalid_argument for another word.
Start ParseStart(const std::string& word);

/// A weight matrix of which only the scores may be trained: W = S·B + C, with C the mean row (start reconstructed) or the
/// pretrained rows (start exact). One form and one op for both.
class Amplitude : public nn::WeightForm {
 public:
  /// Takes over the matrix as it stands. The scores are named "scores.<matrix>".
  Amplitude(const RowSource& source, std::shared_ptr<const Basis> basis, Start start);

  nn::Weight Make(Tape& tape) override;
  std::vector<Param*> Params() override { return {&scores_}; }
  Tensor Merged() const override;

 private:
  std::shared_ptr<const Basis> basis_;  // shared by all matrices of the model
  Param scores_;                        // S or ΔS [n, K]
  Tensor centre_;                       // C: μ [d] or W₀ [n, d]
  ops::Layout rows_layout_, stored_layout_;
};

/// Puts every source into amplitude form. What trains elsewhere is the caller's business.
void UseAmplitude(const std::vector<RowSource>& sources, const std::shared_ptr<const Basis>& basis, Start start);

}  // namespace ampgrad::ct
