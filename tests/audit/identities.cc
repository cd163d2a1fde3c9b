#include "tests/audit/identities.h"

#include <algorithm>
#include <cmath>

#include "ct/amplitude.h"
#include "tensor/kernels/kernels.h"
#include "tests/audit/buffer_audit.h"
#include "tests/audit/factored_identities.h"
#include "tests/audit/op_cases.h"
#include "tests/support/small_models.h"
#include "train/adamw.h"

namespace ampgrad::audit {
namespace {

double MaxDifference(const Real* a, const Real* b, Index n) {
  double error = 0;
  for (Index i = 0; i < n; ++i) error = Worst(error, std::abs(static_cast<double>(a[i]) - b[i]));
  return error;
}

// ‖a − b‖ / ‖b‖
double Apart(const Tensor& a, const Tensor& b) { return Compare(a, ToDoubles(b)).relative_error; }

// Collects findings, and draws tensors from streams of the seed.
class Auditor {
 public:
  explicit Auditor(uint64_t seed) : seed_(seed) {}

  void Structure(const std::string& statement, double error, double bound) {
    findings.push_back({"structure", statement, error, bound});
  }
  Tensor Draw(Shape shape, double stddev = 1) { return Random(seed_, stream_++).NormalTensor(shape, stddev); }
  uint64_t seed() const { return seed_; }

  std::vector<IdentityFinding> findings;

 private:
  uint64_t seed_, stream_ = 0;
};

// ---- Structure

void AuditLossRows(Auditor& audit) {
  constexpr Index kRows = 6, kVocab = 33;
  const std::vector<int> targets = {4, ops::kIgnored, 32, 0, ops::kIgnored, 4};
  const Tensor dlogits = GradientsOf([&](Tape&, const Vars& x) { return MeanCrossEntropy(x[0], targets); },
                                     {audit.Draw({kRows, kVocab}, 3)}, Tensor::Scalar(1))[0];
  double sum = 0, ignored = 0;
  for (Index n = 0; n < kRows; ++n) {
    double total = 0, magnitude = 0;
    for (Index v = 0; v < kVocab; ++v) {
      total += dlogits.row(n)[v];
      magnitude += std::abs(static_cast<double>(dlogits.row(n)[v]));
    }
    if (targets[n] == ops::kIgnored) ignored = Worst(ignored, magnitude);
    sum = Worst(sum, 4 * std::abs(total));  // four rows count, so the entries are a softmax over 4
  }
  // The exponents of a row round by what the logits and their log-sum are: up to 16 times eps; then V terms are added.
  audit.Structure("cross_entropy: each row of dlogits sums to 0", sum, (16 + kVocab) * kEpsilon);
  audit.Structure("cross_entropy: a row without a target gets exactly 0", ignored, 0);
}

constexpr Index kBatch = 2, kLength = 7, kHeads = 4, kKvHeads = 2, kDim = 5, kRows = kBatch * kLength;

Var GroupedAttention(Tape&, const Vars& x) { return ops::CausalAttention(x[0], x[1], x[2], kLength, kHeads, kKvHeads); }

// What row t can see of its sequence is first..t. All else is changed, and a loss that reads these rows only is taken
// back.
void AuditMask(Auditor& audit) {
  const std::vector<Tensor> inputs = {audit.Draw({kRows, kHeads * kDim}), audit.Draw({kRows, kKvHeads * kDim}),
                                      audit.Draw({kRows, kKvHeads * kDim})};
  const Tensor y = Evaluate(GroupedAttention, inputs), dY = audit.Draw(y.shape());
  double forward = 0, backward = 0;
  for (Index t = 0; t < kRows; ++t) {
    const Index first = t - t % kLength;
    std::vector<Tensor> changed;
    for (const Tensor& input : inputs) changed.push_back(input.Clone());
    Tensor seen = dY.Clone();
    for (Index i = 0; i < kRows; ++i) {
      if (i >= first && i <= t) continue;
      for (Tensor& input : changed) std::fill_n(input.row(i), input.cols(), Real(1e6));
      std::fill_n(seen.row(i), seen.cols(), Real(0));
    }
    const Tensor after = Evaluate(GroupedAttention, changed);
    forward = Worst(forward, MaxDifference(after.row(first), y.row(first), (t + 1 - first) * y.cols()));
    for (const Tensor& gradient : GradientsOf(GroupedAttention, inputs, seen)) {
      for (Index i = 0; i < kRows; ++i) {
        if (i >= first && i <= t) continue;
        for (Index j = 0; j < gradient.cols(); ++j) backward = Worst(backward, std::abs(gradient.row(i)[j]));
      }
    }
  }
  audit.Structure("causal_attention: what is behind the mask changes no bit of a row", forward, 0);
  audit.Structure("causal_attention: dq, dk and dv behind the mask are exactly 0", backward, 0);
}

void AuditGroups(Auditor& audit) {
  const Tensor q = audit.Draw({kRows, kHeads * kDim}), k = audit.Draw({kRows, kKvHeads * kDim});
  Tensor ones({kRows, kKvHeads * kDim});
  ones.Fill(1);
  double sums = 0;
  for (const Real sum : Evaluate(GroupedAttention, {q, k, ones})) sums = Worst(sums, std::abs(sum - 1));
  // P_ij = e^s/Σe^s: up to kLength terms, added twice.
  audit.Structure("causal_attention: the probabilities of a row sum to 1", sums, 2 * kLength * kEpsilon);

  // Every query head with its own copy of its group's key and value: the group's gradient is the sum of theirs.
  const Tensor v = audit.Draw(k.shape()), dY = audit.Draw(q.shape());
  const auto repeat = [](const Tensor& t) {
    Tensor all({kRows, kHeads * kDim});
    for (Index n = 0; n < kRows; ++n) {
      for (Index h = 0; h < kHeads; ++h) std::copy_n(t.row(n) + h / 2 * kDim, kDim, all.row(n) + h * kDim);
    }
    return all;
  };
  const auto separate = [](Tape&, const Vars& x) {
    return ops::CausalAttention(x[0], x[1], x[2], kLength, kHeads, kHeads);
  };
  const std::vector<Tensor> grouped = GradientsOf(GroupedAttention, {q, k, v}, dY);
  const std::vector<Tensor> apart = GradientsOf(separate, {q, repeat(k), repeat(v)}, dY);
  double error = 0;
  for (const size_t input : {1, 2}) {
    Tensor sum(k.shape());
    for (Index n = 0; n < kRows; ++n) {
      for (Index j = 0; j < kHeads * kDim; ++j) {
        sum.row(n)[j / (2 * kDim) * kDim + j % kDim] += apart[input].row(n)[j];
      }
    }
    error = Worst(error, Apart(grouped[input], sum));
  }
  // The same products, added in another order: sums of at most 2·kLength terms.
  audit.Structure("causal_attention: dk and dv are the sums over the query heads of the group", error,
                  2 * kLength * kEpsilon);
}

// With a vanishing eps a norm does not change when x grows, nor LayerNorm when x moves along 1, so dx has no part
// there.
void AuditNorms(Auditor& audit) {
  constexpr Index kNormRows = 5, kCols = 33;
  constexpr Real kTinyEps = Real(1e-30);
  const Tensor x = audit.Draw({kNormRows, kCols}, 2), gain = audit.Draw({kCols}), dY = audit.Draw(x.shape());
  Tensor ones({kCols});
  ones.Fill(1);
  const OpFn layer_norm = [](Tape&, const Vars& v) { return ops::LayerNorm(v[0], v[1], v[2], kTinyEps); };
  const OpFn rms_norm = [](Tape&, const Vars& v) { return ops::RmsNorm(v[0], v[1], kTinyEps); };
  const Tensor x_hat = Evaluate(layer_norm, {x, ones, Tensor({kCols})});
  const Tensor layer_dx = GradientsOf(layer_norm, {x, gain, ones}, dY)[0];
  const Tensor rms_dx = GradientsOf(rms_norm, {x, gain}, dY)[0];
  // |cosine| of the angle between row n and a direction
  const auto cosine = [&](const Tensor& dx, Index n, const Real* direction) {
    return std::abs(Dot(dx.row(n), direction, kCols)) / (Norm(dx.row(n), kCols) * Norm(direction, kCols));
  };
  double sum = 0, along = 0, rms = 0;
  for (Index n = 0; n < kNormRows; ++n) {
    sum = Worst(sum, cosine(layer_dx, n, ones.data()));
    along = Worst(along, cosine(layer_dx, n, x_hat.row(n)));
    rms = Worst(rms, cosine(rms_dx, n, x.row(n)));
  }
  // Sums of C terms.
  audit.Structure("layer_norm: each row of dx sums to 0", sum, kCols * kEpsilon);
  audit.Structure("layer_norm: each row of dx is orthogonal to x̂", along, kCols * kEpsilon);
  audit.Structure("rms_norm: each row of dx is orthogonal to x", rms, kCols * kEpsilon);
}

void AuditMoves(Auditor& audit) {
  const Tensor frequencies = InverseFrequencies(10), x = audit.Draw({14, 30});
  const OpFn rotary = [&](Tape&, const Vars& v) { return ops::Rotary(v[0], ops::MakeRotaryTable(frequencies, 7)); };
  // Two rotations of three roundings an entry, and cos² + sin² = 1 to two.
  audit.Structure("rotary: the backward of the forward is the identity",
                  Apart(GradientsOf(rotary, {x}, Evaluate(rotary, {x}))[0], x), 8 * kEpsilon);
}

void AuditAllBuffers(Auditor& audit) {
  BufferErrors all;
  for (const OpCase& op_case : OpCases()) {
    const BufferErrors errors = AuditBuffers(op_case, audit.seed());
    all.frozen += errors.frozen;
    all.changed += errors.changed;
    all.overwritten += errors.overwritten;
    all.lost = Worst(all.lost, errors.lost);
  }
  audit.Structure("all ops: a frozen input never gets a gradient", all.frozen, 0);
  audit.Structure("all ops: freezing inputs changes no bit of the others' gradients", all.changed, 0);
  audit.Structure("all ops: a backward changes no input and no gradient that another holds", all.overwritten, 0);
  audit.Structure("all ops: what a shared gradient held is still in it after the op has added its part", all.lost,
                  all.bound);
}

constexpr Index kTokens = 16, kContext = 8;

void BackpropagateLoss(models::LanguageModel& model) {
  Tape tape;
  const Var logits = model.Logits(tape, RandomIds(kTokens, model.vocabulary(), 1), kContext);
  tape.Backward(MeanCrossEntropy(logits, RandomIds(kTokens, model.vocabulary(), 2)));
}

Tensor& GradOf(models::LanguageModel& model, const std::string& matrix) {
  return FindMatrix(model, matrix)->form->Part("weight").grad;
}

void AuditTying(Auditor& audit) {
  const auto tied = TinyGpt(audit.seed()), untied = TinyGpt(audit.seed(), false);
  const nn::Parts from = tied->Parts(), to = untied->Parts();
  for (size_t i = 0; i < to.matrices.size(); ++i) {
    nn::Matrix& matrix = *to.matrices[i];  // the last one is the head
    const nn::Matrix& source = *from.matrices[i % from.matrices.size()];
    matrix.form = std::make_unique<nn::Dense>(matrix.name, source.form->Merged().Widened().Clone(), matrix.layout);
  }
  for (size_t i = 0; i < to.vectors.size(); ++i) to.vectors[i]->value = from.vectors[i]->value.Clone();
  for (models::LanguageModel* model : {tied.get(), untied.get()}) BackpropagateLoss(*model);
  Tensor sum = GradOf(*untied, "wte.weight").Clone();
  for (Index i = 0; i < sum.size(); ++i) sum[i] += GradOf(*untied, "lm_head.weight")[i];
  // The same terms in another order: at most one a token.
  audit.Structure("model: a tied vocabulary's gradient is the sum of both uses",
                  Apart(GradOf(*tied, "wte.weight"), sum), kTokens * kEpsilon);
}

// ---- Chain

// One way to fine-tune one model by its scores alone.
struct Chain {
  models::LanguageModel& base;
  std::shared_ptr<const ct::Basis> basis;
  ct::Start start;

  Chain(models::LanguageModel& base, Index k, ct::Start start)
      : base(base), basis(std::make_shared<const ct::Basis>(ct::ComputeBasis(BlockRows(base), k))), start(start) {}
  std::unique_ptr<models::LanguageModel> Model() const {
    std::unique_ptr<models::LanguageModel> model = base.Clone();
    models::SetTrainable(*model, false);
    ct::UseAmplitude(BlockRows(*model), basis, start);
    return model;
  }
  void Say(Auditor& audit, const std::string& statement, double error, double bound) const {
    audit.findings.push_back({"chain", std::string("start ") + ToString(start) + ": " + statement, error, bound});
  }
};

void TrainWithAdamW(models::LanguageModel& model, int steps) {
  train::AdamW optimizer(models::TrainableParameters(model), {});
  for (int step = 0; step < steps; ++step) {
    optimizer.ZeroGrad();
    BackpropagateLoss(model);
    optimizer.Step(1e-2);
  }
}

// t·Bᵀ, by its definition
Tensor Along(const Tensor& t, const Tensor& basis) {
  Tensor product({t.rows(), basis.rows()});
  for (Index i = 0; i < t.rows(); ++i) {
    for (Index k = 0; k < basis.rows(); ++k) {
      product.row(i)[k] = static_cast<Real>(Dot(t.row(i), basis.row(k), t.cols()));
    }
  }
  return product;
}

// t·(I − Bᵀ·B)
Tensor Outside(const Tensor& t, const Tensor& basis) {
  const Tensor along = Along(t, basis);
  Tensor rest = t.Clone();
  for (Index i = 0; i < t.rows(); ++i) {
    for (Index k = 0; k < basis.rows(); ++k) {
      for (Index j = 0; j < t.cols(); ++j) rest.row(i)[j] -= along.row(i)[k] * basis.row(k)[j];
    }
  }
  return rest;
}

Tensor Difference(const Tensor& a, const Tensor& b) {
  Tensor difference = a.Clone();
  for (Index i = 0; i < a.size(); ++i) difference[i] -= b[i];
  return difference;
}

// After some steps, so that S is no longer where it started: the dense copy has the same weights and gives dW.
void AuditScores(Auditor& audit, const Chain& chain) {
  const auto amplitude = chain.Model();
  TrainWithAdamW(*amplitude, 3);
  const auto dense = amplitude->Clone();
  for (Param* param : models::TrainableParameters(*amplitude)) param->grad = Tensor();
  BackpropagateLoss(*amplitude);
  BackpropagateLoss(*dense);
  const auto scored = BlockRows(*amplitude), full = BlockRows(*dense);
  double product = 0, parts = 0;
  for (size_t m = 0; m < full.size(); ++m) {
    const Tensor& stored = full[m].matrix->form->Part("weight").grad;
    const Tensor dw = full[m].layout == full[m].matrix->layout ? stored : kernels::Transposed(stored);
    const Tensor expected = Along(dw, chain.basis->vectors);
    product = Worst(product, Apart(scored[m].matrix->form->Part("scores").grad, expected));
    const double whole = Norm(dw), along = Norm(expected), outside = Norm(Outside(dw, chain.basis->vectors));
    parts = Worst(parts, std::abs(whole * whole - along * along - outside * outside) / (whole * whole));
  }
  // Two backward passes whose products are laid out and so rounded differently, through both blocks.
  chain.Say(audit, "dS = dW·Bᵀ, with dW of the dense model at the same weights", product, 64 * kEpsilon);
  // B·Bᵀ is the identity to the rounding of d terms, and stands in both parts, squared.
  chain.Say(audit, "‖dW‖² = ‖dW·Bᵀ‖² + ‖dW·(I − Bᵀ·B)‖²", parts, 4 * chain.basis->width() * kEpsilon);
}

void AuditTraining(Auditor& audit, const Chain& chain) {
  const auto before = chain.Model(), after = chain.Model();
  std::vector<Tensor> frozen = {chain.basis->vectors, chain.basis->mean}, copies;
  for (const nn::Matrix* matrix : chain.base.Parts().matrices) frozen.push_back(matrix->form->Merged().Widened());
  for (const Param* param : models::Parameters(*after)) {
    if (!param->trainable) frozen.push_back(param->value);
  }
  for (const Tensor& tensor : frozen) copies.push_back(tensor.Clone());
  TrainWithAdamW(*after, 5);
  Index changed = 0, strange = 0;
  for (size_t i = 0; i < frozen.size(); ++i) changed += !SameBits(frozen[i], copies[i]);
  for (const Param* param : models::Parameters(*after)) strange += param->trainable == param->grad.empty();
  chain.Say(audit, "training changes no byte of a frozen tensor, the basis or the base", changed, 0);
  chain.Say(audit, "all scores get a gradient, nothing else does", strange, 0);

  const auto from = BlockRows(*before), to = BlockRows(*after);
  double outside = 0;
  Index lost = 0;
  for (size_t m = 0; m < from.size(); ++m) {
    const Tensor moved = Difference(ct::ReadRows(to[m]), ct::ReadRows(from[m]));
    outside = Worst(outside, Norm(Outside(moved, chain.basis->vectors)) / Norm(moved));
    to[m].matrix->form->Part("scores").value = from[m].matrix->form->Part("scores").value;
    lost += !SameBits(ct::ReadRows(to[m]), ct::ReadRows(from[m]));
  }
  // ΔW is a difference of weights some 10 times its size, which round.
  chain.Say(audit, "after 5 steps of AdamW, ΔW lies in the span of B", outside, 64 * kEpsilon);
  chain.Say(audit, "with the first scores put back, the weights are the first ones, bit for bit", lost, 0);
}

// With K = d, B is orthogonal: S ← S − η·dW·Bᵀ moves W = S·B + C by −η·dW·Bᵀ·B = −η·dW.
void AuditFullBasis(Auditor& audit, const Chain& chain) {
  const auto full = chain.base.Clone(), amplitude = chain.Model();
  models::SetTrainable(*full, false);
  for (const ct::RowSource& source : BlockRows(*full)) source.matrix->form->Part("weight").trainable = true;
  for (models::LanguageModel* model : {full.get(), amplitude.get()}) {
    for (int step = 0; step < 4; ++step) {
      for (Param* param : models::TrainableParameters(*model)) param->grad = Tensor();
      BackpropagateLoss(*model);
      for (Param* param : models::TrainableParameters(*model)) {
        for (Index i = 0; i < param->value.size(); ++i) param->value[i] -= Real(0.1) * param->grad[i];
      }
    }
  }
  const auto from = BlockRows(chain.base), to = BlockRows(*full), by_scores = BlockRows(*amplitude);
  double apart = 0;
  for (size_t m = 0; m < to.size(); ++m) {
    const Tensor moved = Difference(ct::ReadRows(to[m]), ct::ReadRows(from[m]));
    apart = Worst(apart, Norm(Difference(ct::ReadRows(by_scores[m]), ct::ReadRows(to[m]))) / Norm(moved));
  }
  // ΔW is some 20 times smaller than the weights, so that these are 50 roundings of theirs over all the steps.
  chain.Say(audit, "with K = d, ΔW of 4 steps of gradient descent is that of full training", apart, 1e3 * kEpsilon);
}

void AuditChain(Auditor& audit) {
  const auto base = TinyGpt(audit.seed());
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    const Chain chain(*base, 3, start);
    AuditScores(audit, chain);
    AuditTraining(audit, chain);
    AuditFullBasis(audit, Chain(*base, base->width(), start));
  }
  const Chain exact(*base, 3, ct::Start::kExact);
  const std::vector<int> ids = RandomIds(kTokens, base->vocabulary(), 1);
  const bool same = SameBits(LogitsOf(*exact.Model(), ids, kContext), LogitsOf(*base, ids, kContext));
  exact.Say(audit, "step 0 is the base, bit for bit", !same, 0);
}

}  // namespace

std::vector<IdentityFinding> AuditIdentities(uint64_t seed) {
  Auditor audit(seed);
  AuditLossRows(audit);
  AuditMask(audit);
  AuditGroups(audit);
  AuditNorms(audit);
  AuditMoves(audit);
  AuditAllBuffers(audit);
  AuditTying(audit);
  AuditChain(audit);
  for (IdentityFinding& finding : AuditFactored(seed)) audit.findings.push_back(std::move(finding));
  return std::move(audit.findings);
}

}  // namespace ampgrad::audit
