#include "train/counts/counts.h"

namespace ampgrad::train {
namespace {

Index Numbers(const nn::Matrix& matrix) { return matrix.in * matrix.out; }

// What the model holds, in a state dict and without one.
void CountParts(const ModelShape& shape, Counts& counts) {
  models::LanguageModel& model = *shape.model;
  const nn::Parts parts = model.Parts();
  for (const nn::Matrix* matrix : parts.matrices) {
    const bool block = matrix->kind == nn::MatrixKind::kBlock, position = matrix->kind == nn::MatrixKind::kPosition;
    (block ? counts.block_numbers : position ? counts.positions : counts.vocabulary) += Numbers(*matrix);
    counts.tied_copies += (matrix->copies - 1) * Numbers(*matrix);
    if (!block && !position) counts.vocabulary_rank_cost += matrix->copies * (matrix->in + matrix->out);
  }
  for (const Param* vector : parts.vectors) counts.vectors += vector->value.shape().size();
  if (shape.has_masks) counts.masks = model.layers() * model.context() * model.context();
}

}  // namespace

Counts CountModel(const ModelShape& shape, ct::RowsPolicy rows, const Scope& scope) {
  models::LanguageModel& model = *shape.model;
  Counts counts{.width = model.width()};
  CountParts(shape, counts);
  const std::vector<nn::Matrix*> blocks = MatricesInScope(model, scope);
  for (const nn::Matrix* matrix : blocks) {
    counts.full += Numbers(*matrix);
    counts.rank_cost += matrix->in + matrix->out;
  }
  counts.layers = scope.all_layers ? model.layers() : scope.last - scope.first + 1;
  counts.head = Numbers(model.HeadMatrix());
  const auto sources = ct::SelectRows(scope.all_layers ? model.Parts().matrices : blocks, model.width(), rows);
  counts.matrices = static_cast<Index>(sources.size());
  counts.rows = ct::CountRows(sources);
  for (const ct::RowSource& source : sources) counts.unique_rows += source.rows;
  return counts;
}

std::vector<Ratio> TrainedShares(const Counts& counts, Index k) {
  const Index scores = counts.Scores(k), unique = counts.UniqueScores(k);
  std::vector<Ratio> shares = {
      {"scores", "the decomposed matrices", scores, counts.Decomposed()},
      {"scores", "full SFT of these layers: their matrices", scores, counts.full},
      {"scores", "full SFT of these layers and the head", scores, counts.full + counts.head},
      {"scores", "unique parameters", scores, counts.Unique()},
  };
  if (unique != scores) {
    shares.push_back({"scores, tied ones once", "unique parameters, tied scores once", unique, counts.Unique()});
  }
  if (counts.StateDict() != counts.Unique()) {
    shares.push_back({"scores", "state-dict elements (tied copies, masks)", scores, counts.StateDict()});
  }
  return shares;
}

std::vector<Ratio> Compressions(const Counts& counts, Index k) {
  const Index scores = counts.Scores(k);
  std::vector<Ratio> ratios = {
      {"decomposed matrices", "their scores", counts.Decomposed(), scores},
      {"decomposed matrices", "scores, basis and mean row", counts.Decomposed(),
       scores + counts.Basis(k) + counts.Mean()},
      {"unique parameters", "the whole file", counts.Unique(), counts.File(k)},
  };
  if (counts.StateDict() != counts.Unique()) {
    ratios.push_back(
        {"state-dict elements", "the whole file, counted so", counts.StateDict(), counts.FileOfStateDict(k)});
  }
  ratios.push_back({"unique parameters", "scores alone, the rest left out", counts.Unique(), counts.UniqueScores(k)});
  return ratios;
}

}  // namespace ampgrad::train
