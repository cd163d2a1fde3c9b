#pragma once

#include "tensor/real.h"

/// The loops of the symmetric eigensolver, always in double. Numbers of columns and lengths of vectors are multiples of
/// kBand: callers pad with zeros, which stay zeros in all of these loops.
namespace ampgrad::kernels {

/// Width of panels, bands and strips of vectors.
inline constexpr Index kBand = 32;

/// Σ x[i]·y[i]
double DotDouble(const double* x, const double* y, Index n);

/// How a product reads its left side: element (i, k) at data[i * row + k * col].
struct StridedMatrix {
  const double* data;
  Index row, col;
};

/// C += A·B     A [rows, depth]   B [depth, cols], row k at b + k * b_stride   C [rows, cols]   rows a multiple of 4
void AddProduct(Index rows, Index cols, Index depth, StridedMatrix a, const double* b, Index b_stride, double* c,
                Index c_stride);

/// block [n, cols] ← H·block,  H = I − 2·v·vᵀ, v [n]; here n may be any number
void ReflectColumns(const double* v, Index n, double* block, Index stride, Index cols);
/// block [rows, n] ← block·H
void ReflectRows(const double* v, Index n, double* block, Index stride, Index rows);

/// A plane rotation, c² + s² = 1.
struct Rotation {
  double c, s;
};

/// For i = 0, …, count − 1:  rows l = i and u = i + 1 of strip [count + 1, kBand] become c·l + s·u and c·u − s·l, with
/// c and s of rotations[i].
void RotateStrip(const Rotation* rotations, Index count, double* strip);

}  // namespace ampgrad::kernels
