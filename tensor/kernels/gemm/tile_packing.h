#pragma once

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/simd/tiles.h"

/// The factors of a product as the tile unit reads them.
///
/// A float x has 24 binary digits, a bfloat16 number 8, so x is exactly a sum of three of them, each the nearest to what the
/// ones before it leave:
///   x = x₀ + x₁ + x₂      |x₁| <= 2⁻⁸|x|    |x₂| <= 2⁻¹⁷|x|
/// A panel is 32 rows of A or 32 columns of B. Run by run of k it holds, for each of the parts, two tiles side by side:
///   of A   row i holds the run of row i
///   of B   row p holds 16 pairs: of column j the numbers k = 2p and k = 2p + 1
/// Of a float that is infinite, or rounds to infinity in bfloat16 (over 3.396e38), the parts sum to NaN; a B that is
/// bfloat16 keeps its infinities.
namespace ampgrad::kernels {

inline constexpr Index kTileParts = 3;
/// From a tile of one part to the tile of the next, in numbers.
inline constexpr Index kTilePartStride = 2 * kTileSize;

/// Runs of `depth` numbers k, the last of which may end early.
inline Index TileRuns(Index depth) { return (depth + kTileRun - 1) / kTileRun; }

/// The parts of a factor: one of a B that is bfloat16 already.
inline Index TileParts(const Operand& x) { return x.type == StoredType::kBf16 ? 1 : kTileParts; }

/// Numbers of a packed panel of `runs` runs.
inline Index TilePanelSize(Index runs, Index parts) { return runs * parts * kTilePartStride; }

/// All panels of A [rows, depth], one behind the other; missing numbers k are zeros, missing rows any numbers. `to` is
/// aligned to 64 bytes.
void PackTilesA(const Operand& a, Index rows, Index depth, Bf16* to);

/// One panel of B [depth, cols], cols <= kTilePanel; missing numbers k are zeros, missing columns any numbers.
void PackTilesB(const Operand& b, Index depth, Index cols, Bf16* to);

}  // namespace ampgrad::kernels
