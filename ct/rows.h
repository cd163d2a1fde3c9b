#pragma once

#include <string>
#include <vector>

#include "nn/matrix.h"

/// Every matrix is read as rows of d numbers, d being the model's hidden size, so that all matrices share one basis.
namespace ampgrad::ct {

/// Which matrices are decomposed.
enum class RowsPolicy {
  kBlocks,  // the matrices of the blocks: W [out, in] if in = d, its transpose if only out = d
  kWidth,   // every matrix with in = d in nn.Linear's layout [out, in], and the vocabulary; none transposed. A tied
            // vocabulary counts twice, as in the papers' 10.2M model; positions are left out, as there
  kAll,     // the matrices of the blocks, as kBlocks reads them, and the vocabulary: 156 of TinyLlama, as in the papers
  kResidual,  // the matrices of the blocks, with rows that lie in the residual stream: as kBlocks, but the transpose of
              // attention's output projection, too, whose stored rows lie in the space of the heads
};

/// "blocks", "width", "all" or "residual"; throws std::invalid_argument for another word.
RowsPolicy ParseRowsPolicy(const std::string& word);
std::string ToString(RowsPolicy policy);
/// The words for all policies.
std::vector<std::string> RowsPolicyNames();

/// A matrix and the way its rows are read.
struct RowSource {
  nn::Matrix* matrix;
  ops::Layout layout;  // kOutIn: rows are those of W [out, in]; kInOut: those of Wᵀ [in, out]
  Index rows;
  int repeats;  // how often these rows count
};

/// The matrices that `policy` decomposes at width d, in the model's order.
std::vector<RowSource> SelectRows(const std::vector<nn::Matrix*>& matrices, Index d, RowsPolicy policy);

/// The embedding E [V, d], the first matrix of the vocabulary; null when there is none.
nn::Matrix* FindEmbedding(const std::vector<nn::Matrix*>& matrices);

/// Number of rows, repeats included.
Index CountRows(const std::vector<RowSource>& sources);

/// All rows [rows, d] of a source, as they are stored.
StoredTensor StoredRows(const RowSource& source);

/// Reads rows of a source and widens only the rows that are asked for.
class RowReader {
 public:
  explicit RowReader(const RowSource& source) : rows_(StoredRows(source)) {}

  Index count() const { return rows_.shape().rows(); }
  /// Rows [begin, end) of the count() there are, as a tensor [end − begin, d]; a view if the matrix holds them in Real,
  /// contiguously.
  Tensor Rows(Index begin, Index end) const;
  /// Rows `ids`, each in 0..count() − 1, as a copy [number of ids, d].
  Tensor Rows(const std::vector<Index>& ids) const;

 private:
  StoredTensor rows_;
};

/// All rows [rows, d] of a source; a copy unless the matrix holds them in Real, contiguously.
Tensor ReadRows(const RowSource& source);

}  // namespace ampgrad::ct
