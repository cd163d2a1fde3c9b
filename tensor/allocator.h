#pragma once

namespace ampgrad {

/// Each time the allocator grows the heap, it requests this many bytes more than it needs. It does not touch them.
inline constexpr int kAllocatorGrowth = 1 << 26;

/// Tells the C library's allocator to keep freed memory instead of returning it to the system. A training step then
/// reuses the memory of the step before, mapped and warm. Programs call this at their start. It has no effect where the
/// C library is not glibc.
void KeepFreedMemory();

}  // namespace ampgrad
