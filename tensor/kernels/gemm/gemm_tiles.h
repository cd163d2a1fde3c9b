#pragma once

#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::kernels {

/// Matrix products on the tile unit, for float. With every number split into parts (tile_packing.h), a product of two is
///   a·b = a₂b₀ + a₁b₀ + a₁b₁ + a₀b₁ + a₀b₂ + a₀b₀ + e      |e| <= 1.01·2⁻²⁴|a||b|,
/// one rounding of a float product, and each of the six is a product of bfloat16 numbers. Where B is bfloat16 already,
/// b₁ = b₂ = 0 and e = 0. (Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For
/// Higher-Precision Computations", 2019.)
/// An element of C takes k in runs of 32, and of a run the six products in the order above. The unit sums one of them over
/// the even and over the odd k of the run, in float, adds the two sums, and adds that to C. It takes numbers below 2⁻¹²⁶
/// for zeros: parts, which a factor below 2⁻¹⁰³ may have, and sums, so that products below 2⁻¹⁰² keep fewer digits.

/// Whether a product is large enough for tiles to pay.
bool TilesPay(Index m, Index n, Index k);

/// Numbers that the scratch memory of `TileProduct` holds.
Index TileScratchSize(Index m, Index n, Index k);

/// C [m, n] = Init + A·B, k >= 1, all by the calling thread; only where TilesAllowed().
void TileProduct(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride, Real* scratch);

}  // namespace ampgrad::kernels
