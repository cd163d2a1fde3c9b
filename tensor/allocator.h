#pragma once

namespace ampgrad {

/// How much address space the allocator asks for at once beyond what it needs, in bytes; nothing of it is touched.
inline constexpr int kAllocatorGrowth = 1 << 26;

/// Tells the C library's allocator to keep what is freed instead of handing it back to the system, so that a training step
/// finds the memory of the step before, mapped and warm. For programs, at their start; without effect where the C library
/// is not glibc.
void KeepFreedMemory();

}  // namespace ampgrad
