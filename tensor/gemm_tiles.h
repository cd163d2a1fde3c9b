#pragma once

#include "tensor/gemm.h"

namespace ampgrad::kernels {

/// Matrix products on the tile unit, for float. With every number split into parts (see tile_packing.h), a product of two is
///   a·b = a₂b₀ + a₁b₀ + a₁b₁ + a₀b₁ + a₀b₂ + a₀b₀ + e      |e| <= 2.01·2⁻²⁴|a||b|,
/// two roundings of a float product, and each of the six is a product of bfloat16 numbers, summed in float. Where B is bfloat16
/// already, b₁ = b₂ = 0 and e = 0. (Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype
/// for Higher-Precision Computations", 2019.)
/// The unit takes numbers below 2⁻¹²⁶ for zeros, among them the last part of a factor below 2⁻¹⁰⁹.

/// Whether a product is large enough for tiles to pay.
bool TilesPay(Index m, Index n, Index k);

/// Numbers that the scratch memory of `TileProduct` holds.
Index TileScratchSize(Index m, Index n, Index k);

/// C [m, n] = Init + A·B, all by the calling thread; only where TilesAllowed(). Each sum runs over k in order, in runs of 32,
/// and over the six products of a run in the order above.
void TileProduct(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride, Real* scratch);

}  // namespace ampgrad::kernels
