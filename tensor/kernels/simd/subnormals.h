#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace ampgrad {

/// While an object of this class lives, its thread treats subnormal floats, below 1.2e-38, as zeros if the processor
/// can (x86). It is for kernels whose sums may consist of such numbers alone: they are negligible in the result, but
/// each costs a hundred cycles.
class FlushSubnormals {
 public:
#if defined(__SSE__)
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  const unsigned before_;
#else
  FlushSubnormals() {}
#endif

 public:
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

}  // namespace ampgrad
