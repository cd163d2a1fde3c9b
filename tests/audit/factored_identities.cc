#include "tests/audit/factored_identities.h"

#include <cmath>
#include <memory>
#include <string>

#include "ct/amplitude.h"
#include "ct/reconstruct.h"
#include "tests/audit/op_cases.h"
#include "tests/support/small_models.h"
#include "train/adamw.h"

namespace ampgrad::audit {
namespace {

constexpr Index kFactoredTokens = 16, kFactoredContext = 8, kScores = 3;

std::unique_ptr<models::LanguageModel> WithChain(models::LanguageModel& base, ct::Start start, nn::Chain chain) {
  std::unique_ptr<models::LanguageModel> model = base.Clone();
  models::SetTrainable(*model, false);
  const auto basis = std::make_shared<const ct::Basis>(ct::ComputeBasis(BlockRows(base), kScores));
  ct::UseAmplitude(BlockRows(*model), basis, start, chain);
  return model;
}

void Backpropagate(models::LanguageModel& model) {
  Tape tape;
  const Var logits = model.Logits(tape, RandomIds(kFactoredTokens, model.vocabulary(), 1), kFactoredContext);
  tape.Backward(MeanCrossEntropy(logits, RandomIds(kFactoredTokens, model.vocabulary(), 2)));
}

// The largest ‖dS of one chain − dS of the other‖ / ‖dS‖ of all matrices, after some steps, so that S is no longer
// where it started.
double ScoreGradientsApart(models::LanguageModel& base, ct::Start start) {
  const auto by_dw = WithChain(base, start, nn::Chain::kExplicit),
             factored = WithChain(base, start, nn::Chain::kFactored);
  const std::vector<Param*> expected = models::TrainableParameters(*by_dw),
                            found = models::TrainableParameters(*factored);
  train::AdamW optimizer(expected, {});
  for (int step = 0; step < 3; ++step) {
    optimizer.ZeroGrad();
    Backpropagate(*by_dw);
    optimizer.Step(1e-2);
  }
  optimizer.ZeroGrad();
  for (size_t i = 0; i < expected.size(); ++i) found[i]->value = expected[i]->value;
  Backpropagate(*by_dw);
  Backpropagate(*factored);
  double apart = found.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < expected.size(); ++i) {
    apart = Worst(apart, Compare(found[i]->grad, ToDoubles(expected[i]->grad)).relative_error);
  }
  return apart;
}

// One matrix, where the roundings can be counted: the largest |dS by dW − dS without it| / (|dY|ᵀ·|X|·|B|ᵀ) of a score.
double OneMatrixApart(uint64_t seed, Index rows, Index n, Index k, Index d) {
  const Tensor x = Random(seed, 0x78).NormalTensor({rows, d}, 1), dy = Random(seed, 0x6479).NormalTensor({rows, n}, 1);
  const Tensor scores = Random(seed, 0x73).NormalTensor({n, k}, 1);
  const Tensor basis = ReconstructBasis(k, d), centre = ReconstructCentre(n, d, false);
  const OpFn explicit_chain = [&](Tape&, const Vars& v) {
    return ops::Linear(v[0], ct::Reconstruct(v[1], basis, centre), Layout::kOutIn, nullptr);
  };
  const OpFn factored_chain = FactoredLinearCase(rows, n, k, d, Layout::kOutIn, false).run;
  const Tensor by_dw = GradientsOf(explicit_chain, {x, scores}, dy)[1];
  const Tensor without = GradientsOf(factored_chain, {x, scores}, dy)[1];
  double apart = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < k; ++j) {
      double magnitude = 0;
      for (Index r = 0; r < rows; ++r) {
        for (Index c = 0; c < d; ++c) magnitude += std::abs(dy.row(r)[i] * x.row(r)[c] * basis.row(j)[c]);
      }
      apart = Worst(apart, std::abs(by_dw.row(i)[j] - without.row(i)[j]) / magnitude);
    }
  }
  return apart;
}

}  // namespace

std::vector<IdentityFinding> AuditFactored(uint64_t seed) {
  constexpr Index kRows = 33, kWidth = 17;
  // Each chain rounds sums of N and of d terms, each rounding by half an eps of the magnitudes that are summed.
  std::vector<IdentityFinding> findings = {{"chain", "one matrix: dYᵀ·(X·Bᵀ) = (dYᵀ·X)·Bᵀ, in shares of |dY|ᵀ·|X|·|B|ᵀ",
                                            OneMatrixApart(seed, kRows, 9, 5, kWidth), (kRows + kWidth) * kEpsilon}};
  const auto base = TinyGpt(seed);
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    // As for dS = dW·Bᵀ: two passes whose products are rounded differently, through both blocks.
    findings.push_back({"chain", std::string("start ") + ToString(start) + ": explicit and factored give the same dS",
                        ScoreGradientsApart(*base, start), 64 * kEpsilon});
  }
  return findings;
}

}  // namespace ampgrad::audit
