#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "ct/centre.h"
#include "nn/forms/chain.h"
#include "nn/forms/weight_form.h"

namespace ampgrad::ct {

/// Where amplitude-only fine-tuning starts from.
enum class Start {
  kReconstructed,  // W = S·B + μ: the part that the basis does not span is lost (the papers' way)
  kExact,          // W = ΔS·B + W₀ with ΔS = 0: step 0 is the pretrained model, bit for bit
};

const char* ToString(Start start);
/// "reconstructed" or "exact"; throws std::invalid_argument for another word.
Start ParseStart(const std::string& word);

/// What all weights in amplitude form share in a model.
struct AmplitudeSetup {
  AmplitudeSetup(std::shared_ptr<const Basis> basis, Start start, nn::Chain chain);

  std::shared_ptr<const Basis> basis;
  Tensor basis_and_mean;  // B' [K+1, d]: the vectors, then the mean row
  Tensor columns;         // Bᵀ [d, K], for start exact and the factored chain
  Start start;
  nn::Chain chain;
};

/// A weight matrix whose only parameters are the scores: W = S·B + C, where C is the mean row (start reconstructed) or
/// the pretrained rows (start exact). One form and one op serve both.
class Amplitude : public nn::MadeForm {
 public:
  /// Starts from the current weight of the matrix. The scores are named "scores.<matrix>".
  Amplitude(const RowSource& source, std::shared_ptr<const AmplitudeSetup> setup);
  /// The same with given scores [n, K].
  Amplitude(const RowSource& source, std::shared_ptr<const AmplitudeSetup> setup, Tensor scores);

  Var Make(Tape& tape) override;
  Var Apply(nn::Input& input, const Var* bias) override;
  std::vector<nn::FormPart> Parts() override { return {{"scores", &scores_}}; }
  const char* Name() const override { return "amplitude"; }
  std::map<std::string, double> Numbers() const override;
  std::vector<nn::SavedPart> Saved() override;
  std::optional<nn::Factors> Update() const override;
  StoredTensor Merged() const override;
  Index MappedBytes() const override { return centre_.MappedBytes(); }

 private:
  Var ApplyToStored(nn::Input& input, const Var& scores, const Var* bias) const;
  Var ApplyMade(nn::Input& input, const Var& scores, const Var* bias) const;
  Var ApplyReconstructed(nn::Input& input, const Var& scores, const Var* bias) const;

  std::shared_ptr<const AmplitudeSetup> setup_;
  Param scores_;   // S or ΔS [n, K]
  Centre centre_;  // C: μ [d] or W₀ [n, d]
  ops::Layout stored_layout_;
};

/// Puts every source into amplitude form. By the explicit chain W is computed, and dS = dW·Bᵀ; by the factored one
/// dS = dYᵀ·(X·Bᵀ), without dW, and without W unless W₀ is held in Real. The vocabulary uses the
/// explicit chain whatever `chain` is, because its rows are also looked up, which needs W. The caller decides what else
/// trains.
void UseAmplitude(const std::vector<RowSource>& sources, const std::shared_ptr<const Basis>& basis, Start start,
                  nn::Chain chain = nn::Chain::kExplicit);

}  // namespace ampgrad::ct
