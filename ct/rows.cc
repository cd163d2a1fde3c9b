#include "ct/rows.h"

#include <stdexcept>

#include "tensor/kernels/kernels.h"

namespace ampgrad::ct {

RowsPolicy ParseRowsPolicy(const std::string& word) {
  if (word == "blocks") return RowsPolicy::kBlocks;
  if (word == "width") return RowsPolicy::kWidth;
  if (word == "all") return RowsPolicy::kAll;
  throw std::invalid_argument("[rows] expected the policy blocks, width or all, found '" + word + "'");
}

std::vector<RowSource> SelectRows(const std::vector<nn::Matrix*>& matrices, Index d, RowsPolicy policy) {
  std::vector<RowSource> sources;
  for (nn::Matrix* matrix : matrices) {
    const bool block = matrix->role == nn::Role::kBlock;
    const bool vocabulary = matrix->role == nn::Role::kVocabulary;
    if (matrix->in == d && (block || (vocabulary && policy != RowsPolicy::kBlocks))) {
      sources.push_back({matrix, ops::Layout::kOutIn, matrix->out, policy == RowsPolicy::kWidth ? matrix->copies : 1});
    } else if (matrix->out == d && block && policy != RowsPolicy::kWidth) {
      sources.push_back({matrix, ops::Layout::kInOut, matrix->in, 1});
    }
  }
  return sources;
}

Index CountRows(const std::vector<RowSource>& sources) {
  Index count = 0;
  for (const RowSource& source : sources) count += source.rows * source.repeats;
  return count;
}

Tensor ReadRows(const RowSource& source) {
  const Tensor stored = source.matrix->form->Merged();
  return source.matrix->layout == source.layout ? stored : kernels::Transposed(stored);
}

}  // namespace ampgrad::ct
