#include "ct/amplitude.h"

#include <stdexcept>

#include "ct/reconstruct.h"

namespace ampgrad::ct {

const char* ToString(Start start) { return start == Start::kExact ? "exact" : "reconstructed"; }

Start ParseStart(const std::string& word) {
  if (word == "exact") return Start::kExact;
  if (word == "reconstructed") return Start::kReconstructed;
  throw std::invalid_argument("[start] expected reconstructed or exact, found '" + word + "'");
}

Amplitude::Amplitude(const RowSource& source, std::shared_ptr<const Basis> basis, Start start)
    : basis_(std::move(basis)), rows_layout_(source.layout), stored_layout_(source.matrix->layout) {
  const Tensor rows = ReadRows(source);
  const bool exact = start == Start::kExact;
  scores_ = {"scores." + source.matrix->name, exact ? Tensor({rows.rows(), basis_->k()}) : Scores(rows, *basis_), {}};
  centre_ = exact ? rows : basis_->mean;
}

nn::Weight Amplitude::Make(Tape& tape) {
  return {Reconstruct(tape.Leaf(scores_), basis_->vectors, centre_), rows_layout_};
}

Tensor Amplitude::Merged() const {
  Tape tape(Tape::Mode::kInference);
  const Tensor rows = Reconstruct(tape.Constant(scores_.value), basis_->vectors, centre_).value;
  return rows_layout_ == stored_layout_ ? rows : rows.Transposed();
}

void UseAmplitude(const std::vector<RowSource>& sources, const std::shared_ptr<const Basis>& basis, Start start) {
  for (const RowSource& source : sources) source.matrix->form = std::make_unique<Amplitude>(source, basis, start);
}

}  // namespace ampgrad::ct
