#pragma once

#include "tensor/real.h"

/// The tile unit of recent x86-64 processors (Intel AMX). It multiplies matrices of bfloat16 numbers, 16 rows of 64
/// bytes each, and adds the products to 16 x 16 floats. A process must request it from Linux. The double build does not
/// use it.
#if defined(__x86_64__) && defined(__linux__) && !defined(AMPGRAD_DOUBLE)
#define AMPGRAD_TILES 1
#else
#define AMPGRAD_TILES 0
#endif

namespace ampgrad::kernels {

inline constexpr Index kTileSide = 16;                    // rows of a tile, and floats in a row
inline constexpr Index kTileRun = 2 * kTileSide;          // bfloat16 numbers in a row: a run of k
inline constexpr Index kTileSize = kTileSide * kTileRun;  // bfloat16 numbers in a tile
/// Rows and columns of C that are computed together, in four tiles.
inline constexpr Index kTilePanel = 2 * kTileSide;

/// Whether this build, this CPU and this system have the unit.
bool HaveTiles();

/// Whether products may use it: true where it exists, unless switched off.
bool TilesAllowed();
void AllowTiles(bool allow);

}  // namespace ampgrad::kernels
