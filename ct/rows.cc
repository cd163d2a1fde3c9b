#include "ct/rows.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <stdexcept>

#include "tensor/kernels/kernels.h"

namespace ampgrad::ct {

namespace {

constexpr const char* kPolicies[] = {"blocks", "width", "all", "residual"};

}  // namespace

RowsPolicy ParseRowsPolicy(const std::string& word) {
  const auto found = std::ranges::find(kPolicies, word);
  if (found != std::end(kPolicies)) return static_cast<RowsPolicy>(found - kPolicies);
  throw std::invalid_argument("[rows] expected the policy blocks, width, all or residual, found '" + word + "'");
}

std::string ToString(RowsPolicy policy) { return kPolicies[static_cast<size_t>(policy)]; }

std::vector<std::string> RowsPolicyNames() { return {std::begin(kPolicies), std::end(kPolicies)}; }

std::vector<RowSource> SelectRows(const std::vector<nn::Matrix*>& matrices, Index d, RowsPolicy policy) {
  std::vector<RowSource> sources;
  for (nn::Matrix* matrix : matrices) {
    const bool block = matrix->kind == nn::MatrixKind::kBlock;
    const bool vocabulary =
        matrix->kind == nn::MatrixKind::kVocabulary && (policy == RowsPolicy::kWidth || policy == RowsPolicy::kAll);
    const bool turned = policy == RowsPolicy::kResidual && matrix->to_residual;
    if (matrix->in == d && !turned && (block || vocabulary)) {
      sources.push_back({matrix, ops::Layout::kOutIn, matrix->out, policy == RowsPolicy::kWidth ? matrix->copies : 1});
    } else if (matrix->out == d && block && policy != RowsPolicy::kWidth) {
      sources.push_back({matrix, ops::Layout::kInOut, matrix->in, 1});
    }
  }
  return sources;
}

nn::Matrix* FindEmbedding(const std::vector<nn::Matrix*>& matrices) {
  const auto found = std::ranges::find(matrices, nn::MatrixKind::kVocabulary, &nn::Matrix::kind);
  return found == matrices.end() ? nullptr : *found;
}

Index CountRows(const std::vector<RowSource>& sources) {
  Index count = 0;
  for (const RowSource& source : sources) count += source.rows * source.repeats;
  return count;
}

StoredTensor StoredRows(const RowSource& source) {
  const StoredTensor weight = source.matrix->form->Merged();
  return source.matrix->layout == source.layout ? weight : weight.Transposed();
}

Tensor RowReader::Rows(Index begin, Index end) const {
  if (const Tensor held = rows_.tensor(); !held.empty()) return held.Rows(begin, end);
  std::vector<Index> ids(static_cast<size_t>(end - begin));
  std::iota(ids.begin(), ids.end(), begin);
  return Rows(ids);
}

Tensor RowReader::Rows(const std::vector<Index>& ids) const { return rows_.WidenedRows(ids); }

Tensor ReadRows(const RowSource& source) {
  const RowReader reader(source);
  return reader.Rows(0, reader.count());
}

}  // namespace ampgrad::ct
