#include "ct/amplitude.h"

#include <algorithm>
#include <stdexcept>

#include "ct/factored.h"
#include "ct/reconstruct.h"
#include "nn/matrix.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ct {

const char* ToString(Start start) { return start == Start::kExact ? "exact" : "reconstructed"; }

Start ParseStart(const std::string& word) {
  if (word == "exact") return Start::kExact;
  if (word == "reconstructed") return Start::kReconstructed;
  throw std::invalid_argument("[start] expected reconstructed or exact, found '" + word + "'");
}

AmplitudeSetup::AmplitudeSetup(std::shared_ptr<const Basis> shared_basis, Start start, nn::Chain chain)
    : basis(std::move(shared_basis)),
      basis_and_mean(Tensor::Uninitialized({basis->k() + 1, basis->width()})),
      columns(start == Start::kExact && chain == nn::Chain::kFactored ? kernels::Transposed(basis->vectors) : Tensor()),
      start(start),
      chain(chain) {
  std::copy(basis->vectors.begin(), basis->vectors.end(), basis_and_mean.begin());
  std::copy(basis->mean.begin(), basis->mean.end(), basis_and_mean.row(basis->k()));
}

namespace {

// W₀ as it lies, most often in a mapped file. If it is held in Real, it is transposed once, not in every step.
Centre PretrainedRows(const RowSource& source) {
  const StoredTensor rows = StoredRows(source);
  const bool in_real = rows.MappedBytes() == 0 && rows.type() == kRealType;
  return in_real && rows.transposed() ? Centre(rows.Widened()) : Centre(rows);
}

}  // namespace

Amplitude::Amplitude(const RowSource& source, std::shared_ptr<const AmplitudeSetup> setup, Tensor scores)
    : MadeForm(source.layout),
      setup_(std::move(setup)),
      scores_{"scores." + source.matrix->name, std::move(scores), {}},
      centre_(setup_->start == Start::kExact ? PretrainedRows(source) : setup_->basis->mean),
      stored_layout_(source.matrix->layout) {}

Amplitude::Amplitude(const RowSource& source, std::shared_ptr<const AmplitudeSetup> setup)
    : Amplitude(source, setup,
                setup->start == Start::kExact ? Tensor({source.rows, setup->basis->k()})
                                              : Scores(ReadRows(source), *setup->basis)) {}

Var Amplitude::Make(Tape& tape) { return Reconstruct(tape.Leaf(scores_), setup_->basis->vectors, centre_); }

Var Amplitude::Apply(nn::Input& input, const Var* bias) {
  if (setup_->chain == nn::Chain::kExplicit) return MadeForm::Apply(input, bias);
  const Var scores = input.x().tape->Leaf(scores_);
  if (setup_->start == Start::kReconstructed) return ApplyReconstructed(input, scores, bias);
  return centre_.stored().type() == kRealType ? ApplyMade(input, scores, bias) : ApplyToStored(input, scores, bias);
}

// W₀ stays as it lies:  x·Wᵀ = x·W₀ᵀ + (x·Bᵀ)·Sᵀ  or  x·W = x·W₀ + (x·S)·B
Var Amplitude::ApplyToStored(nn::Input& input, const Var& scores, const Var* bias) const {
  Tape& tape = *input.x().tape;
  const auto linear = [&](const Var& x, const Var& w, ops::Layout layout) {
    return ops::Linear(x, w, layout, nullptr);
  };
  const StoredTensor& w = centre_.stored();
  if (made_layout() == ops::Layout::kInOut) {
    const Var narrow = linear(input.x(), scores, ops::Layout::kInOut), columns = tape.Constant(setup_->columns);
    return ops::LowRankLinear(input.x(), w, ops::Layout::kInOut, narrow, columns, bias);
  }
  const auto project = [&](const Var& x) {
    return linear(x, tape.Constant(setup_->basis->vectors), ops::Layout::kOutIn);
  };
  return ops::LowRankLinear(input.x(), w, ops::Layout::kOutIn, input.Derived(setup_.get(), project), scores, bias);
}

// W is computed, which takes fewer steps than the above where rows are shorter than tokens are many; dW is not.
Var Amplitude::ApplyMade(nn::Input& input, const Var& scores, const Var* bias) const {
  Tape& tape = *input.x().tape;
  const Tensor& vectors = setup_->basis->vectors;
  const auto project = [&](const Var& x) {
    Tensor projection = Tensor::Uninitialized({x.shape().rows(), vectors.rows()});
    kernels::ProductNT(x.value, vectors, {projection.data()});
    return tape.Constant(projection);
  };
  const bool rows_are_outputs = made_layout() == ops::Layout::kOutIn;
  const Tensor projection = rows_are_outputs ? input.Derived(setup_.get(), project).value : Tensor();
  return FactoredLinear(input.x(), projection, scores, vectors, centre_, made_layout(), bias);
}

// W = S'·B':  x·Wᵀ = (x·B'ᵀ)·S'ᵀ  or  x·W = (x·S')·B'
Var Amplitude::ApplyReconstructed(nn::Input& input, const Var& scores, const Var* bias) const {
  Tape& tape = *input.x().tape;
  const ops::Layout layout = made_layout();
  const Var extended = AppendOnes(scores), basis = tape.Constant(setup_->basis_and_mean);
  const auto narrow = [&](const Var& x) { return ops::Linear(x, basis, layout, nullptr); };
  if (layout == ops::Layout::kOutIn) {
    return ops::Linear(input.Derived(setup_.get(), narrow), extended, layout, bias);
  }
  return ops::Linear(ops::Linear(input.x(), extended, layout, nullptr), basis, layout, bias);
}

StoredTensor Amplitude::Merged() const {
  Tape tape(Tape::Mode::kInference);
  const Tensor rows = Reconstruct(tape.Constant(scores_.value), setup_->basis->vectors, centre_).value;
  return StoredTensor(made_layout() == stored_layout_ ? rows : kernels::Transposed(rows));
}

std::map<std::string, double> Amplitude::Numbers() const {
  return {{"exact", setup_->start == Start::kExact}, {"rows_are_outputs", made_layout() == ops::Layout::kOutIn}};
}

std::vector<nn::SavedPart> Amplitude::Saved() {
  return {{"scores", scores_.value, scores_.trainable},
          {"basis", setup_->basis->vectors, false},
          {"mean", setup_->basis->mean, false}};
}

std::optional<nn::Factors> Amplitude::Update() const {
  if (setup_->start == Start::kReconstructed) return std::nullopt;  // S·B + μ − W₀ has full rank
  const Tensor& vectors = setup_->basis->vectors;
  if (made_layout() == ops::Layout::kOutIn) return nn::Factors{vectors, scores_.value};
  return nn::Factors{kernels::Transposed(scores_.value), kernels::Transposed(vectors)};
}

void UseAmplitude(const std::vector<RowSource>& sources, const std::shared_ptr<const Basis>& basis, Start start,
                  nn::Chain chain) {
  const auto setup = std::make_shared<const AmplitudeSetup>(basis, start, chain);
  const auto of_tables = std::make_shared<const AmplitudeSetup>(basis, start, nn::Chain::kExplicit);
  for (const RowSource& source : sources) {
    const bool block = source.matrix->kind == nn::MatrixKind::kBlock;
    source.matrix->form = std::make_unique<Amplitude>(source, block ? setup : of_tables);
  }
}

}  // namespace ampgrad::ct
