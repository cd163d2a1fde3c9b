#pragma once

#include "tensor/kernels/simd/sink.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::kernels {

/// A matrix as a product reads it: element (i, j) is number i * stride + j of `data`, or number j * stride + i when
/// `transposed`. The left side of a product is in Real. The right side may be of any stored type and is widened when it
/// is read. If its type has blocks, `stride` is a multiple of them.
struct Operand {
  const void* data;  // numbers of `type`
  Index stride;
  bool transposed = false;
  StoredType type = kRealType;
  Index skipped = 0;  // with blocks: numbers of each row in memory that come before the part

  /// The numbers of a matrix in Real.
  const Real* real() const { return static_cast<const Real*>(data); }
  /// The part that begins at element (i, j).
  Operand At(Index i, Index j) const {
    if (data == nullptr) return *this;
    const Index row = transposed ? j : i, col = transposed ? i : j;
    const bool blocks = HasBlocks(type);
    const Index offset = blocks ? row * BytesOf(type, stride) : (row * stride + col) * BytesOf(type);
    return {static_cast<const char*>(data) + offset, stride, transposed, type, skipped + (blocks ? col : 0)};
  }
};

/// A whole matrix in its stored type.
inline Operand OperandOf(const StoredTensor& x, bool transposed) {
  return {x.data(), x.transposed() ? x.shape().rows() : x.shape().cols(), transposed != x.transposed(), x.type()};
}

/// The initial value of a product: nothing, one row for all rows (stride 0: a bias, the mean row), or a matrix. It may
/// be the output itself; then the product is added to it.
struct Init {
  const Real* data = nullptr;
  Index stride = 0;

  /// The part that begins at element (i, j).
  Init At(Index i, Index j) const { return data == nullptr ? *this : Init{data + i * stride + j, stride}; }
};

/// Length of the blocks in which a product is summed along k. A panel of B, 256 x 32 floats, is then 32 KiB, two thirds
/// of a 48 KiB L1 cache; a panel of A, 14 x 256 floats, takes most of the rest.
inline constexpr Index kDepth = 256 * sizeof(float) / sizeof(Real);

/// C = Init + A·B     A [m, k]   B [k, n]   C [m, n], row i at c + i * c_stride
/// Each element is summed over k in a fixed order, so its bits depend neither on the number of threads nor on its place
/// in C. Where the CPU has a tile unit, products of at least 48 x 48 sums of 96 terms use it (gemm_tiles.h). A row then
/// has other bits than when it is computed alone; both are within the error bound of a float product.
void Gemm(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride);

/// The same by definition, in three loops. Tests and benchmarks compare `Gemm` with it.
void NaiveGemm(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride);

/// Whole tensors, seen as matrices [rows, cols]. The letters say which operand is read transposed. All three throw
/// std::invalid_argument when the inner sizes differ.
/// ProductNT  C = A·Bᵀ    A [m, k]   B [n, k]   C [m, n]
/// ProductNN  C = A·B     A [m, k]   B [k, n]   C [m, n]
/// ProductTN  C = Aᵀ·B    A [k, m]   B [k, n]   C [m, n]
void ProductNT(const Tensor& a, const Tensor& b, Sink c);
void ProductNN(const Tensor& a, const Tensor& b, Sink c);
void ProductTN(const Tensor& a, const Tensor& b, Sink c);

}  // namespace ampgrad::kernels
