#pragma once

#include <cstdint>

#include "tensor/stored_tensor.h"

/// Blocks of quantised numbers as they lie in memory. Fields and formulas are those of ggml-common.h and ggml-quants.c
/// (https://github.com/ggml-org/ggml), and for NF4 those of bitsandbytes (Dettmers et al., arXiv:2305.14314).
///
/// Every type is read in runs of 32 numbers, in the order of the row:
///   y_j = value(code_j)·scale_j + offset     scale_j: one for the first sixteen numbers, one for the others
/// value is the code itself, for NF4 the code's entry in a table. A code has at most 8 binary digits and a half 11; a
/// scale that is a half times an integer has at most 18, and its codes at most 6. So value·scale is exact in float, the
/// offset is too, and y_j has one rounding at most, with a fused multiply-add or without: every instruction set gives
/// the same bits. In double y_j is exact. For NF4 the product is rounded once. A type without an offset adds −0, which
/// changes no number, not even a zero.
///
/// Fields of a block, by ggml's names:
///   d            the scale; with `scales`, an integer in them times d is
///   m            the offset of Q4_1 and Q5_1
///   dmin         −dmin times an integer in `scales` is the offset of Q4_K and Q5_K
///   qs, ql, qh   codes: packed in qs, or split into lower bits (qs, ql) and upper bits (qh). Q4_0, Q5_0 and Q6_K hold
///                code + 8, + 16 and + 32, so that what is stored is not negative
///   absmax       the scale of NF4
namespace ampgrad::blocks {

/// The numbers of a run.
inline constexpr Index kRun = 32;

struct Q8_0 {
  static constexpr StoredType kType = StoredType::kQ8_0;
  Half d;
  int8_t qs[32];
};
/// Bytes qs hold code j in the lower four bits and code j + 16 in the upper four.
struct Q4_0 {
  static constexpr StoredType kType = StoredType::kQ4_0;
  Half d;
  uint8_t qs[16];
};
struct Q4_1 {
  static constexpr StoredType kType = StoredType::kQ4_1;
  Half d, m;
  uint8_t qs[16];
};
/// Bit j of qh is the fifth bit of code j.
struct Q5_0 {
  static constexpr StoredType kType = StoredType::kQ5_0;
  Half d;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct Q5_1 {
  static constexpr StoredType kType = StoredType::kQ5_1;
  Half d, m;
  uint8_t qh[4];
  uint8_t qs[16];
};
/// Eight runs. Run 2g has the lower four bits of bytes 32g.. of qs, run 2g + 1 the upper four; `scales` holds eight
/// scales and eight minima of six bits.
struct Q4K {
  static constexpr StoredType kType = StoredType::kQ4K;
  Half d, dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};
/// As Q4K; bit i of qh[j] is the fifth bit of code j of run i.
struct Q5K {
  static constexpr StoredType kType = StoredType::kQ5K;
  Half d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
/// Eight runs, four in each half of ql and qh; every sixteen numbers have a scale.
struct Q6K {
  static constexpr StoredType kType = StoredType::kQ6K;
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  Half d;
};
/// Byte i holds code 2i in the upper four bits and code 2i + 1 in the lower four.
struct Nf4 {
  static constexpr StoredType kType = StoredType::kNf4;
  float absmax;
  uint8_t qs[16];
};

/// The values of NF4's codes.
inline constexpr float kNf4Values[16] = {-1.0f,
                                         -0.6961928009986877f,
                                         -0.5250730514526367f,
                                         -0.39491748809814453f,
                                         -0.28444138169288635f,
                                         -0.18477343022823334f,
                                         -0.09105003625154495f,
                                         0.0f,
                                         0.07958029955625534f,
                                         0.16093020141124725f,
                                         0.24611230194568634f,
                                         0.33791524171829224f,
                                         0.44070982933044434f,
                                         0.5626170039176941f,
                                         0.7229568362236023f,
                                         1.0f};

/// The scales and the offset of a run: scale[0] is that of its first sixteen numbers. ScalingOf(b, run) gives those of
/// run 0, 1, … of block b; a block of 32 numbers has one run, and `run` is not read.
struct Scaling {
  Real scale[2];
  Real offset;
};

inline Scaling ScalingOf(Real scale, Real offset = Real(-0.0)) { return {{scale, scale}, offset}; }

inline Scaling ScalingOf(const Q8_0& b, Index) { return ScalingOf(Widen(b.d)); }
inline Scaling ScalingOf(const Q4_0& b, Index) { return ScalingOf(Widen(b.d)); }
inline Scaling ScalingOf(const Q5_0& b, Index) { return ScalingOf(Widen(b.d)); }
inline Scaling ScalingOf(const Q4_1& b, Index) { return ScalingOf(Widen(b.d), Widen(b.m)); }
inline Scaling ScalingOf(const Q5_1& b, Index) { return ScalingOf(Widen(b.d), Widen(b.m)); }
inline Scaling ScalingOf(const Nf4& b, Index) { return ScalingOf(b.absmax); }
/// Run 0..7 of Q4K or Q5K.
template <class Block>
Scaling ScalingOfKRun(const Block& b, Index run) {
  const uint8_t* s = b.scales;
  const int scale = run < 4 ? s[run] & 63 : (s[run + 4] & 15) | s[run - 4] >> 6 << 4;
  const int least = run < 4 ? s[run + 4] & 63 : s[run + 4] >> 4 | s[run] >> 6 << 4;
  return ScalingOf(Widen(b.d) * static_cast<Real>(scale), -(Widen(b.dmin) * static_cast<Real>(least)));
}
inline Scaling ScalingOf(const Q4K& b, Index run) { return ScalingOfKRun(b, run); }
inline Scaling ScalingOf(const Q5K& b, Index run) { return ScalingOfKRun(b, run); }
inline Scaling ScalingOf(const Q6K& b, Index run) {
  const Real d = Widen(b.d);
  return {{d * static_cast<Real>(b.scales[2 * run]), d * static_cast<Real>(b.scales[2 * run + 1])}, Real(-0.0)};
}

/// Casts `data` to a pointer to blocks of `type`, calls body(blocks) with it, and returns the result. Throws
/// std::logic_error for a type without blocks.
template <class Body>
auto WithBlocks(StoredType type, const void* data, Body body) {
  switch (type) {
    case StoredType::kQ8_0:
      return body(static_cast<const Q8_0*>(data));
    case StoredType::kQ4_0:
      return body(static_cast<const Q4_0*>(data));
    case StoredType::kQ4_1:
      return body(static_cast<const Q4_1*>(data));
    case StoredType::kQ5_0:
      return body(static_cast<const Q5_0*>(data));
    case StoredType::kQ5_1:
      return body(static_cast<const Q5_1*>(data));
    case StoredType::kQ4K:
      return body(static_cast<const Q4K*>(data));
    case StoredType::kQ5K:
      return body(static_cast<const Q5K*>(data));
    case StoredType::kQ6K:
      return body(static_cast<const Q6K*>(data));
    case StoredType::kNf4:
      return body(static_cast<const Nf4*>(data));
    default:
      throw std::logic_error(std::string("[blocks] ") + ToString(type) + " has no blocks");
  }
}

/// to [32] = numbers 32·run .. 32·run + 31 of the row of blocks at `row`, by the formulas above, one after another.
/// Throws std::logic_error for a type without blocks.
void WidenRun(StoredType type, const void* row, Index run, Real* to);

/// Quantises `n` numbers, a multiple of 32, to blocks of Q8_0, Q4_0 or NF4:
///   Q8_0   d = max|x|/127                    code = x·(1/d) to the nearest, halves away from zero
///   Q4_0   d = the x of largest |x| / −8     code = min(15, ⌊x·(1/d) + 8.5⌋)
///   NF4    absmax = max|x|                   code = the number of midpoints between neighbouring values below x/absmax
/// in float; d is rounded to half afterwards. ggml's quantize_row_q8_0_ref and quantize_row_q4_0_ref give the same
/// bytes. Throws std::invalid_argument for another type and for numbers that are not finite or too large for the scale.
void Quantise(StoredType type, const float* x, Index n, void* to);

}  // namespace ampgrad::blocks
