#pragma once

#include <functional>

#include "tensor/real.h"

namespace ampgrad {

/// Number of threads that `ParallelFor` uses: all cores unless set.
int NumThreads();

/// Number of threads that a call of `ParallelFor` would use here: 1 inside a task.
int FreeThreads();

/// Sets the number of threads; 0 means all cores. Throws std::invalid_argument when negative or over 1024.
void SetNumThreads(int threads);

/// Calls `body(i)` once for each i in [0, tasks), on several threads in no particular order.
/// The promise of equal bits for any number of threads rests on two rules that every caller keeps: tasks write disjoint
/// outputs, and how the work is cut never changes the order of a sum. A call from inside a task runs in place.
void ParallelFor(Index tasks, const std::function<void(Index)>& body);

/// Cuts [0, size) into chunks of a fixed length and calls `body(begin, end)` for each in parallel.
void ParallelChunks(Index size, Index chunk, const std::function<void(Index, Index)>& body);

}  // namespace ampgrad
