// Loads vectors of numbers of any stored type, widened to Real.
#if defined(AMPGRAD_TENSOR_STORED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_STORED_INL_H_
#undef AMPGRAD_TENSOR_STORED_INL_H_
#else
#define AMPGRAD_TENSOR_STORED_INL_H_
#endif

#include "hwy/highway.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/simd/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

inline V LoadWide(D d, const Real* from) { return hn::LoadU(d, from); }

#ifdef AMPGRAD_DOUBLE

template <class Stored>
V LoadWide(D d, const Stored* from) {
  HWY_ALIGN Real wide[HWY_MAX_BYTES / sizeof(Real)];
  for (Index i = 0; i < LanesOf(d); ++i) wide[i] = Widen(from[i]);
  return hn::Load(d, wide);
}

#else

using D16 = hn::Rebind<uint16_t, D>;

inline V WidenVector(D d, hn::Vec<D16> bits, Bf16) {
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<D>(), bits)));
}
inline V WidenVector(D d, hn::Vec<D16> bits, Half) {
  return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
}

template <class Stored>
V LoadWide(D d, const Stored* from) {
  return WidenVector(d, hn::LoadU(D16(), reinterpret_cast<const uint16_t*>(from)), Stored());
}

#endif

// The first `count` numbers widened, the other lanes zero.
inline V LoadWideTail(D d, const Real* from, Index count) { return LoadTail(d, from, count); }
template <class Stored>
V LoadWideTail(D d, const Stored* from, Index count) {
  HWY_ALIGN Real wide[HWY_MAX_BYTES / sizeof(Real)] = {};
  for (Index i = 0; i < count; ++i) wide[i] = Widen(from[i]);
  return hn::Load(d, wide);
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
