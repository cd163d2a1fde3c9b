#include "models/language_model.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "autograd/checkpoint.h"

namespace ampgrad::models {

namespace {

// The position of each of `rows` rows in its sequence.
std::vector<int> Positions(Index rows, Index length, const ops::Borders& borders) {
  std::vector<int> positions(rows);
  if (!borders) {
    for (Index n = 0; n < rows; ++n) positions[n] = static_cast<int>(n % length);
    return positions;
  }
  for (size_t s = 1; s < borders->size(); ++s) {
    const Index begin = borders->at(s - 1), end = borders->at(s);
    if (begin < 0 || end - begin < 1 || end - begin > length || end > rows) {
      throw std::invalid_argument("[logits] expected borders that rise from 0 to " + std::to_string(rows) +
                                  " by 1 to " + std::to_string(length) + ", found " + std::to_string(begin) +
                                  " before " + std::to_string(end));
    }
    std::iota(positions.begin() + begin, positions.begin() + end, 0);
  }
  return positions;
}

// Row n is the row of positions[n] in `table`.
Tensor RowsAt(const Tensor& table, const std::vector<int>& positions) {
  Tensor rows = Tensor::Uninitialized({static_cast<Index>(positions.size()), table.cols()});
  for (size_t n = 0; n < positions.size(); ++n) {
    std::copy_n(table.row(positions[n]), table.cols(), rows.row(static_cast<Index>(n)));
  }
  return rows;
}

// The parameters of the matrices first, then the vectors.
std::vector<Param*> ParametersOf(const nn::Parts& parts) {
  std::vector<Param*> params;
  for (nn::Matrix* matrix : parts.matrices) {
    for (const nn::FormPart& part : matrix->form->Parts()) params.push_back(part.param);
  }
  params.insert(params.end(), parts.vectors.begin(), parts.vectors.end());
  return params;
}

}  // namespace

// Where each row stands, and how blocks see the rows.
struct LanguageModel::Rows {
  std::vector<int> positions;
  nn::Sequences sequences;
};

LanguageModel::Rows LanguageModel::Arrange(Index rows, Index length, const ops::Borders& borders) const {
  if (length < 1 || length > context()) {
    throw std::invalid_argument("[logits] expected sequences of 1 to " + std::to_string(context()) + " tokens, found " +
                                std::to_string(length));
  }
  std::vector<int> positions = Positions(rows, length, borders);
  nn::Sequences sequences{.length = length, .rotary = Rotations(length, 0), .borders = borders};
  if (borders && !sequences.rotary.cosines.empty()) {
    sequences.rotary = {RowsAt(sequences.rotary.cosines, positions), RowsAt(sequences.rotary.sines, positions)};
  }
  return {std::move(positions), std::move(sequences)};
}

// Blocks begin..end.
Var LanguageModel::Through(Index begin, Index end, Var x, const nn::Sequences& sequences) {
  for (Index i = begin; i < end; ++i) {
    const auto block = [this, i, sequences](const Var& in) { return Block(i, in, sequences); };
    x = checkpoint_blocks ? Checkpoint(x, block) : block(x);
  }
  return x;
}

void LanguageModel::RequireBlock(Index block) const {
  if (block >= 0 && block <= layers()) return;
  throw std::invalid_argument("[logits] expected a block of 0 to " + std::to_string(layers()) + ", found " +
                              std::to_string(block));
}

Var LanguageModel::Logits(Tape& tape, const std::vector<int>& ids, Index length, const ops::Borders& borders) {
  const Rows rows = Arrange(static_cast<Index>(ids.size()), length, borders);
  const Var x = Embed(tape, ids, rows.positions);
  return Head(Through(0, layers(), x, rows.sequences));
}

Tensor LanguageModel::HiddenBefore(Index block, const std::vector<int>& ids, Index length,
                                   const ops::Borders& borders) {
  RequireBlock(block);
  const Rows rows = Arrange(static_cast<Index>(ids.size()), length, borders);
  Tape tape(Tape::Mode::kInference);
  return Through(0, block, Embed(tape, ids, rows.positions), rows.sequences).value;
}

Var LanguageModel::LogitsFrom(Tape& tape, Index block, const Tensor& hidden, Index length,
                              const ops::Borders& borders) {
  RequireBlock(block);
  if (hidden.shape().rank() != 2 || hidden.cols() != width()) {
    throw std::invalid_argument("[logits] expected hidden [N, " + std::to_string(width()) + "], found " +
                                hidden.shape().ToString());
  }
  const Rows rows = Arrange(hidden.rows(), length, borders);
  return Head(Through(block, layers(), tape.Constant(hidden), rows.sequences));
}

Tensor LanguageModel::NextLogits(const std::vector<int>& ids, nn::KvCache& cache) {
  Tape tape(Tape::Mode::kInference);
  const Index count = static_cast<Index>(ids.size());
  std::vector<int> positions(ids.size());
  std::iota(positions.begin(), positions.end(), static_cast<int>(cache.length));
  Var x = Embed(tape, ids, positions);
  const ops::RotaryTable rotary = Rotations(count, cache.length);
  for (Index i = 0; i < layers(); ++i) {
    nn::Sequences sequences = cache.Next(i, count);
    sequences.rotary = rotary;
    x = Block(i, x, sequences);
  }
  cache.length += count;
  return Head(tape.Constant(x.value.Rows(count - 1, count))).value;
}

std::vector<Param*> Parameters(LanguageModel& model) { return ParametersOf(model.Parts()); }

std::vector<Param*> TrainableParameters(LanguageModel& model) {
  const std::vector<Param*> all = Parameters(model);
  std::vector<Param*> trainable;
  std::copy_if(all.begin(), all.end(), std::back_inserter(trainable), [](const Param* p) { return p->trainable; });
  return trainable;
}

nn::Parts PartsBefore(LanguageModel& model, Index block) {
  nn::Parts parts = model.Parts();
  const nn::Parts first = model.BlockParts(0);
  // In the order of the model, the embedding's parts are those before the first block's.
  parts.matrices.erase(std::ranges::find(parts.matrices, first.matrices.front()), parts.matrices.end());
  parts.vectors.erase(std::ranges::find(parts.vectors, first.vectors.front()), parts.vectors.end());
  for (Index i = 0; i < block; ++i) {
    const nn::Parts own = model.BlockParts(i);
    parts.matrices.insert(parts.matrices.end(), own.matrices.begin(), own.matrices.end());
    parts.vectors.insert(parts.vectors.end(), own.vectors.begin(), own.vectors.end());
  }
  return parts;
}

Index FirstTrainedBlock(LanguageModel& model) {
  for (Index block = 0; block < model.layers(); ++block) {
    const std::vector<Param*> params = ParametersOf(PartsBefore(model, block + 1));
    if (std::ranges::any_of(params, [](const Param* param) { return param->trainable; })) return block;
  }
  return model.layers();
}

void SetTrainable(LanguageModel& model, bool trainable) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    if (trainable && !matrix->HasParameters()) matrix->MakeTrainable();
  }
  for (Param* param : Parameters(model)) param->trainable = trainable;
}

Index CountParameters(const std::vector<Param*>& params) {
  Index count = 0;
  for (const Param* param : params) count += param->value.size();
  return count;
}

Index CountParameters(LanguageModel& model) {
  const nn::Parts parts = model.Parts();
  Index count = 0;
  for (const nn::Matrix* matrix : parts.matrices) count += matrix->StoredShape().size();
  for (const Param* vector : parts.vectors) count += vector->value.size();
  return count;
}

}  // namespace ampgrad::models
