#pragma once

#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::kernels {

/// Matrix products on the tile unit, for float. Every number is split into parts (tile_packing.h). A product of two is
///   a·b = a₂b₀ + a₁b₀ + a₁b₁ + a₀b₁ + a₀b₂ + a₀b₀ + e      |e| <= 1.01·2⁻²⁴|a||b|,
/// where e is at most one rounding of a float product, and each of the six terms is a product of bfloat16 numbers. If B
/// is bfloat16 already, b₁ = b₂ = 0 and e = 0. (Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial
/// Intelligence Datatype For Higher-Precision Computations", 2019.)
/// An element of C is summed over runs of 32 k, and within a run over the six terms in the order above. For each term
/// the unit sums the even and the odd k of the run in float, adds the two sums, and adds the result to C. It treats
/// numbers below 2⁻¹²⁶ as zeros. Factors below 2⁻¹⁰³ may have such parts, and sums may be such numbers, so products
/// below 2⁻¹⁰² keep fewer digits.

/// Whether a product is large enough to be faster with tiles.
bool TilesPay(Index m, Index n, Index k);

/// Size of the scratch memory of `TileProduct`, in numbers.
Index TileScratchSize(Index m, Index n, Index k);

/// C [m, n] = Init + A·B, k >= 1, computed by the calling thread; only where TilesAllowed().
void TileProduct(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride, Real* scratch);

}  // namespace ampgrad::kernels
