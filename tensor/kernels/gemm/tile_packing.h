#pragma once

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/simd/tiles.h"

/// The factors of a product as the tile unit reads them.
///
/// A float x has 24 binary digits and a bfloat16 number has 8, so x is exactly the sum of three bfloat16 numbers. Each
/// is the nearest to what the parts before it leave:
///   x = x₀ + x₁ + x₂      |x₁| <= 2⁻⁸|x|    |x₂| <= 2⁻¹⁷|x|
/// A panel is 32 rows of A or 32 columns of B. For each run of k and each part it holds two tiles, one after the other:
///   A   row i of a tile holds the run of row i of A
///   B   row p of a tile holds 16 pairs: for column j the numbers k = 2p and k = 2p + 1
/// If a float is infinite, or rounds to infinity in bfloat16 (over 3.396e38), its parts sum to NaN. A B that is
/// bfloat16 keeps its infinities.
namespace ampgrad::kernels {

inline constexpr Index kTileParts = 3;
/// Distance from a tile of one part to that of the next part, in numbers.
inline constexpr Index kTilePartStride = 2 * kTileSize;

/// Number of runs of k in `depth`; the last run may be shorter.
inline Index TileRuns(Index depth) { return (depth + kTileRun - 1) / kTileRun; }

/// Number of parts of a factor: one for a B that is bfloat16 already.
inline Index TileParts(const Operand& x) { return x.type == StoredType::kBf16 ? 1 : kTileParts; }

/// Size of a packed panel of `runs` runs, in numbers.
inline Index TilePanelSize(Index runs, Index parts) { return runs * parts * kTilePartStride; }

/// Packs all panels of A [rows, depth], one after another. Missing k are filled with zeros, missing rows with any
/// numbers. `to` is aligned to 64 bytes.
void PackTilesA(const Operand& a, Index rows, Index depth, Bf16* to);

/// Packs one panel of B [depth, cols], cols <= kTilePanel. Missing k are zeros, missing columns any numbers.
void PackTilesB(const Operand& b, Index depth, Index cols, Bf16* to);

}  // namespace ampgrad::kernels
