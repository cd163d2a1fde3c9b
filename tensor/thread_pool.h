#pragma once

#include <functional>

#include "tensor/real.h"

namespace ampgrad {

/// Number of threads that `ParallelFor` uses: all cores unless set.
int NumThreads();

/// Number of threads that a call of `ParallelFor` would use here: 1 inside a task.
int FreeThreads();

/// Sets the number of threads; 0 means all cores. Where the system does not allow so many there are fewer, at least
/// one, as `NumThreads` then says. Throws std::invalid_argument when negative or over 1024. It must not be called while
/// a `ParallelFor` runs.
void SetNumThreads(int threads);

/// Calls `body(i)` once for each i in [0, tasks), on several threads in no particular order.
/// Results have the same bits for any number of threads because every caller keeps two rules: tasks write disjoint
/// outputs, and the division into tasks never changes the order of a sum. A call inside a task runs on the same thread.
/// Tasks compute in the caller's floating-point environment. What a task throws is thrown here, of several tasks one's;
/// then it is not known which of the other tasks have run.
void ParallelFor(Index tasks, const std::function<void(Index)>& body);

/// Cuts [0, size) into chunks of a fixed length and calls `body(begin, end)` for each in parallel.
void ParallelChunks(Index size, Index chunk, const std::function<void(Index, Index)>& body);

}  // namespace ampgrad
