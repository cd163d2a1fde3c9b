#pragma once

#include "tensor/gemm.h"
#include "tensor/tiles.h"

/// The factors of a product as the tile unit reads them.
///
/// A float x has 24 binary digits, a bfloat16 number 8, so x is exactly a sum of three of them, each the nearest to what the
/// ones before it leave:
///   x = x₀ + x₁ + x₂      |x₁| <= 2⁻⁸|x|    |x₂| <= 2⁻¹⁶|x|
/// A panel is 32 rows of A or 32 columns of B. Run by run of k it holds, for each of the parts, two tiles side by side:
///   of A   row i holds the run of row i
///   of B   row p holds 16 pairs: of column j the numbers k = 2p and k = 2p + 1
/// An infinity, or a number that rounds to one in bfloat16 (over 3.396e38), becomes NaN.
namespace ampgrad::kernels {

inline constexpr Index kTileParts = 3;

/// Numbers of a packed panel of `runs` runs; a B that is bfloat16 already has one part only.
inline Index TilePanelSize(Index runs, bool half) { return runs * (half ? 1 : kTileParts) * 2 * kTileSize; }

/// All panels of A [rows, depth], one behind the other; missing numbers k are zeros, missing rows any numbers. `to` is
/// aligned to 64 bytes.
void PackTilesA(const Operand& a, Index rows, Index depth, Bf16* to);

/// One panel of B [depth, cols], cols <= kTilePanel; missing numbers k are zeros, missing columns any numbers.
void PackTilesB(const Operand& b, Index depth, Index cols, Bf16* to);

}  // namespace ampgrad::kernels
