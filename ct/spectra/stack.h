#pragma once

#include <functional>
#include <map>
#include <vector>

#include "ct/basis.h"

/// The spectra of a stack of matrices as rows of width d: of each matrix, of each layer's rows together, of all.
namespace ampgrad::ct {

/// One matrix of the stack.
struct StackPart {
  Index rows;
  Index layer;  // −1: of no layer
  int repeats;  // how often its rows count in the whole stack
};

/// Rows [begin, end) of a part, as a tensor [end − begin, d]. They may be read from a model or drawn.
using RowsOf = std::function<Tensor(size_t part, Index begin, Index end)>;

/// K columns of n numbers.
using Columns = std::vector<std::vector<double>>;

/// Figures of a stack. A spectrum is about the mean row of what it is the spectrum of.
struct StackSpectra {
  bool in_double;                                // how the sums of products were made; else in Real, as in ct/gram.h
  std::vector<double> mean;                      // μ [d], and
  std::vector<double> vectors;                   // B [K, d], before they are rounded to Real
  Basis basis;                                   // of all rows, with the k vectors that were asked for
  std::vector<double> matrix_pr;                 // participation ratio of each part
  std::vector<double> matrix_square;             // ‖R_m − μ‖² of each part, μ being the mean row of all
  std::vector<std::vector<double>> row_squares;  // ‖r − μ‖² of every row of each part
  std::map<Index, double> layer_pr;              // participation ratio of each layer's rows, stacked
};

/// Reads every part twice, some rows at a time; holds three [d, d] matrices in double and no second copy of the stack.
/// The parts of a layer must stand side by side.
/// With `precise`, a stack of few numbers is multiplied in double, which the kernels of a float build are not.
/// Throws std::invalid_argument when there are no rows or k is not in 1..d.
StackSpectra MeasureStack(const std::vector<StackPart>& parts, const RowsOf& rows_of, Index d, Index k, bool precise);

/// Calls body(rows) with the rows of a part, some at a time, in order.
void ForEachRows(const StackPart& part, size_t index, const RowsOf& rows_of, Index d,
                 const std::function<void(const Tensor&)>& body);

/// The scores (R_m − μ)·Bᵀ of a part, by the products that the spectra were made by.
Columns ScoreColumns(const StackPart& part, size_t index, const RowsOf& rows_of, const StackSpectra& spectra);
/// The same by another basis, with products in Real.
Columns ScoreColumns(const StackPart& part, size_t index, const RowsOf& rows_of, const Basis& basis);

}  // namespace ampgrad::ct
