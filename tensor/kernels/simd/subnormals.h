#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace ampgrad {

/// While it lives, this thread takes subnormal floats, below 1.2e-38, for zeros where the processor can (x86). A kernel whose
/// sums may consist of nothing else asks for it: such numbers change no digit of a result, and cost a hundred cycles each.
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
