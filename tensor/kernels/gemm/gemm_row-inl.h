// The product of a single row, c = init + a·B, which generation needs for every token. Each number of B is read once,
// so a copy of B into panels would cost more than the product. B is read in place and widened if it is not in Real. The
// sums are those of the micro-kernel in gemm.cc, in the same order, so they have the same bits.
#if defined(AMPGRAD_TENSOR_GEMM_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_GEMM_ROW_INL_H_
#undef AMPGRAD_TENSOR_GEMM_ROW_INL_H_
#else
#define AMPGRAD_TENSOR_GEMM_ROW_INL_H_
#endif

#include <algorithm>

#include "hwy/highway.h"
#include "tensor/kernels/gemm/block_columns-inl.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/gemm/stored-inl.h"
#include "tensor/kernels/simd/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// One step along k for some columns:  c = init + a [depth] · B [depth, columns], B of a stored type.
template <class Stored>
struct RowStep {
  Index depth;
  const Real* a;  // element k at a[k * a_stride]
  Index a_stride;
  const Stored* b;
  Index b_stride;
  const Real* init;  // null: zeros
  Real* c;
};

// kVectors vectors of columns; the last vector has `last` columns. A row of B is contiguous in memory.
template <Index kVectors, class Stored>
void RowColumns(const RowStep<Stored>& s, Index last) {
  const D d;
  const Index lanes = LanesOf(d), full = last == lanes ? kVectors : kVectors - 1;
  V sums[kVectors];
#pragma GCC unroll 8
  for (Index j = 0; j < kVectors; ++j) sums[j] = hn::Zero(d);
  const Real* a = s.a;
  const Stored* b = s.b;
  for (Index k = 0; k < s.depth; ++k, a += s.a_stride, b += s.b_stride) {
    const V a_k = hn::Set(d, *a);
#pragma GCC unroll 8
    for (Index j = 0; j < kVectors; ++j) {
      const Stored* from = b + j * lanes;
      const V b_k = j + 1 < kVectors || full == kVectors ? LoadWide(d, from) : LoadWideTail(d, from, last);
      sums[j] = hn::MulAdd(a_k, b_k, sums[j]);
    }
  }
#pragma GCC unroll 8
  for (Index j = 0; j < kVectors; ++j) {
    const Index count = j < full ? lanes : last;
    const V sum = s.init ? hn::Add(LoadTail(d, s.init + j * lanes, count), sums[j]) : sums[j];
    StoreTail(sum, d, s.c + j * lanes, count);
  }
}

#if HWY_TARGET != HWY_SCALAR
// Numbers of a column that are transposed together: 16 bytes in Real.
constexpr Index kBlock = 16 / sizeof(Real);

// The vector whose block g, of kBlock numbers, is loaded from address `from` + g·stride.
template <class DV>
hn::Vec<DV> LoadBlocks(DV d, const hn::TFromD<DV>* from, Index stride) {
  constexpr Index kBlocks = static_cast<Index>(hn::MaxLanes(DV())) / kBlock;
  if constexpr (kBlocks <= 1) {
    return hn::LoadU(d, from);
  } else {
    const hn::Half<DV> half;
    return hn::Combine(d, LoadBlocks(half, from + kBlocks / 2 * stride, stride), LoadBlocks(half, from, stride));
  }
}

inline V LoadWideBlocks(D d, const Real* from, Index stride) { return LoadBlocks(d, from, stride); }
#ifdef AMPGRAD_DOUBLE
template <class Stored>
V LoadWideBlocks(D d, const Stored* from, Index stride) {
  HWY_ALIGN Real wide[HWY_MAX_BYTES / sizeof(Real)];
  for (Index i = 0; i < LanesOf(d); ++i) wide[i] = Widen(from[i / kBlock * stride + i % kBlock]);
  return hn::Load(d, wide);
}
#else
template <class Stored>
V LoadWideBlocks(D d, const Stored* from, Index stride) {
  return WidenVector(d, LoadBlocks(D16(), reinterpret_cast<const uint16_t*>(from), stride), Stored());
}
#endif

// Bytes that memory gives at once.
constexpr Index kLineBytes = 64;

// One vector of columns of a B that is read transposed, so that a column is contiguous in memory. The columns are
// transposed in registers, kBlock numbers of each column at a time. The same lines of the next columns are fetched
// meanwhile, as a column is too short for the processor to find out that it is read from end to end. They go to the
// second cache: in the first, columns that lie a power of two apart push each other out.
template <class Stored>
void RowTransposed(const RowStep<Stored>& s) {
  constexpr Index kLine = kLineBytes / static_cast<Index>(sizeof(Stored));
  const D d;
  V sum = hn::Zero(d);
  const Real* a = s.a;
  const Stored* b = s.b;
  const auto add = [&](V b_k) HWY_ATTR {
    sum = hn::MulAdd(hn::Set(d, *a), b_k, sum);
    a += s.a_stride;
  };
  // Numbers 0..kBlock of columns i, i + kBlock, i + 2·kBlock, …
  const auto columns = [&](Index i) HWY_ATTR { return LoadWideBlocks(d, b + i * s.b_stride, kBlock * s.b_stride); };
  Index k = 0;
  while (k + kBlock <= s.depth) {
    for (Index j = 0; j < LanesOf(d); ++j) __builtin_prefetch(b + (LanesOf(d) + j) * s.b_stride, 0, 2);
    const Index end = std::min(k + kLine, s.depth);
    for (; k + kBlock <= end; k += kBlock, b += kBlock) {
      if constexpr (kBlock == 4) {
        const V c0 = columns(0), c1 = columns(1), c2 = columns(2), c3 = columns(3);
        const V even_low = hn::InterleaveLower(d, c0, c2), odd_low = hn::InterleaveLower(d, c1, c3);
        const V even_high = hn::InterleaveUpper(d, c0, c2), odd_high = hn::InterleaveUpper(d, c1, c3);
        add(hn::InterleaveLower(d, even_low, odd_low));
        add(hn::InterleaveUpper(d, even_low, odd_low));
        add(hn::InterleaveLower(d, even_high, odd_high));
        add(hn::InterleaveUpper(d, even_high, odd_high));
      } else {
        const V c0 = columns(0), c1 = columns(1);
        add(hn::InterleaveLower(d, c0, c1));
        add(hn::InterleaveUpper(d, c0, c1));
      }
    }
  }
  for (; k < s.depth; ++k, ++b) {
    HWY_ALIGN Real b_k[HWY_MAX_BYTES / sizeof(Real)];
    for (Index j = 0; j < LanesOf(d); ++j) b_k[j] = Widen(b[j * s.b_stride]);
    add(hn::Load(d, b_k));
  }
  hn::StoreU(s.init ? hn::Add(hn::LoadU(d, s.init), sum) : sum, d, s.c);
}
#endif

// Computes as many of the `left` columns as one kernel takes and returns their number; 0 if they need a panel.
template <class Stored>
Index SomeColumns(const RowStep<Stored>& s, bool transposed, Index left) {
  const Index lanes = LanesOf(D());
  if (transposed) {
#if HWY_TARGET != HWY_SCALAR
    if (left >= lanes) return RowTransposed(s), lanes;
#endif
    return 0;
  }
  if (left >= 8 * lanes) return RowColumns<8>(s, lanes), 8 * lanes;
  if (left > lanes) return RowColumns<2>(s, std::min(left, 2 * lanes) - lanes), std::min(left, 2 * lanes);
  return RowColumns<1>(s, left), left;
}

template <class Stored>
Index RowProductOf(Index n, Index k, const kernels::Operand& a, const Stored* b, Index b_stride, bool transposed,
                   const Real* init, Real* c) {
  Index done = 0;
  while (done < n) {
    Index columns = 0;
    for (Index k0 = 0; k0 < std::max<Index>(k, 1); k0 += kernels::kDepth) {  // k = 0 still writes init
      const Real* start = k0 > 0 ? c : init;
      const RowStep<Stored> step{std::min(kernels::kDepth, k - k0),
                                 a.At(0, k0).real(),
                                 a.transposed ? a.stride : 1,
                                 b + (transposed ? done * b_stride + k0 : k0 * b_stride + done),
                                 b_stride,
                                 start ? start + done : nullptr,
                                 c + done};
      columns = SomeColumns(step, transposed, n - done);
    }
    if (columns == 0) break;
    done += columns;
  }
  return done;
}

// c [n] = init + a [k] · B [k, n] for the first columns; returns how many. The rest, less than a vector, needs a panel.
Index RowProduct(Index n, Index k, const kernels::Operand& a, const kernels::Operand& b, const Real* init, Real* c) {
  if (HasBlocks(b.type)) return BlocksRowProduct(n, k, a, b, init, c);
  return WithNumbers(b.type, b.data, [&](const auto* numbers) HWY_ATTR {
    return RowProductOf(n, k, a, numbers, b.stride, b.transposed, init, c);
  });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
