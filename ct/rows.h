#pragma once

#include <string>
#include <vector>

#include "nn/matrix.h"

/// Every matrix seen as rows of the model's width d, so that all of them can share one basis.
namespace ampgrad::ct {

/// Which matrices are decomposed.
enum class RowsPolicy {
  kBlocks,  // the matrices of the blocks: W [out, in] where in = d, its transpose where only out = d
  kWidth,  // every matrix with in = d as nn.Linear would store it, [out, in], and the vocabulary; none transposed. A tied
           // vocabulary counts twice, as in the papers' 10.2M model; positions are left out, as there
  kAll,    // the matrices of the blocks, as kBlocks reads them, and the vocabulary: 156 of TinyLlama, as in the papers
};

/// "blocks", "width" or "all"; throws std::invalid_argument for another word.
RowsPolicy ParseRowsPolicy(const std::string& word);

/// A matrix and the way its rows are read.
struct RowSource {
  nn::Matrix* matrix;
  ops::Layout layout;  // kOutIn: rows are those of W [out, in]; kInOut: those of Wᵀ [in, out]
  Index rows;
  int repeats;  // how often these rows count
};

/// The matrices that `policy` decomposes at width d, in the model's order.
std::vector<RowSource> SelectRows(const std::vector<nn::Matrix*>& matrices, Index d, RowsPolicy policy);

/// Number of rows, repeats included.
Index CountRows(const std::vector<RowSource>& sources);

/// The rows of a source, widened as they are asked for and no others.
class RowReader {
 public:
  explicit RowReader(const RowSource& source);

  Index count() const;
  /// Rows begin..end [end − begin, d]; a view where the matrix holds them in Real, one behind the other.
  Tensor Rows(Index begin, Index end) const;
  /// Rows `ids` [ids, d], as a copy.
  Tensor Rows(const std::vector<Index>& ids) const;

 private:
  StoredTensor weight_;
  bool transposed_;  // the rows are the columns of the stored matrix
};

/// All rows [rows, d] of a source; a copy unless the matrix holds them in Real, one behind the other.
Tensor ReadRows(const RowSource& source);

}  // namespace ampgrad::ct
