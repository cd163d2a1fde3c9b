#include "tensor/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace ampgrad {
namespace {

thread_local bool inside_task = false;

// How long a thread polls before it sleeps. A training step makes a call about every hundred microseconds, and waking a
// sleeping thread costs a good part of that.
constexpr std::chrono::microseconds kSpin{100};

// Polls `done` for kSpin and returns whether it became true.
template <class Condition>
bool Spin(Condition done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// A call publishes {body, tasks} under a new generation number, runs tasks itself, and returns when the last worker has
// left the call. Each thread starts with its own share of the tasks. The share is the same for calls of the same size,
// because the cache of its core still holds the rows that it wrote in the call before. Then it takes tasks of the other
// threads. Which thread runs a task does not change the result.
class ThreadPool {
 public:
  // Where the system refuses a thread, the pool has those that it gave.
  explicit ThreadPool(int threads) : shares_(threads) {
    workers_.reserve(threads);  // a thread that exists must find its place here
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { WorkerLoop(i); });
    } catch (const std::exception&) {  // std::system_error, or no memory for the thread's own record
    }
    size_ = static_cast<int>(workers_.size()) + 1;
  }

  ~ThreadPool() {
    Publish([this] { stopping_ = true; });
    for (std::thread& worker : workers_) worker.join();
  }

  int size() const { return size_; }

  void Run(Index tasks, const std::function<void(Index)>& body) {
    std::lock_guard<std::mutex> one_call_at_a_time(call_mutex_);
    Publish([&] {
      body_ = &body;
      for (Index i = 0; i < size(); ++i) {
        shares_[i].next = i * tasks / size();
        shares_[i].end = (i + 1) * tasks / size();
      }
      error_ = nullptr;
      std::fegetenv(&environment_);
      active_ = static_cast<int>(workers_.size());
    });
    TakeTasks(0);
    if (!Spin([this] { return active_ == 0; })) {
      std::unique_lock<std::mutex> lock(mutex_);
      done_.wait(lock, [this] { return active_ == 0; });
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  template <class Change>
  void Publish(Change change) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      change();
      ++generation_;
    }
    wake_.notify_all();
  }

  void WorkerLoop(int thread) {
    uint64_t seen = 0;
    while (true) {
      if (!Spin([&] { return generation_ != seen; })) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_ != seen; });
      }
      seen = generation_;
      if (stopping_) return;
      std::fesetenv(&environment_);
      TakeTasks(thread);
      std::lock_guard<std::mutex> lock(mutex_);
      if (--active_ == 0) done_.notify_one();
    }
  }

  void TakeTasks(int thread) {
    inside_task = true;
    for (int i = 0; i < size(); ++i) {
      Share& share = shares_[(thread + i) % size()];
      for (Index task = share.next++; task < share.end; task = share.next++) RunTask(task);
    }
    inside_task = false;
  }

  void RunTask(Index task) {
    try {
      (*body_)(task);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  // Tasks next..end are not yet taken. Each share has its own cache line, because every thread writes to its share.
  struct alignas(64) Share {
    std::atomic<Index> next{0};
    Index end = 0;
  };

  std::vector<std::thread> workers_;
  std::mutex call_mutex_, mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(Index)>* body_ = nullptr;
  std::vector<Share> shares_;  // one for each thread, the caller's first
  int size_ = 1;               // threads, with the caller's; workers read it in a call only
  std::fenv_t environment_{};  // of the caller: how it rounds, and whether it flushes subnormal numbers to zero
  std::exception_ptr error_;
  std::atomic<int> active_{0};           // workers still in the call
  std::atomic<uint64_t> generation_{0};  // number of the call
  bool stopping_ = false;
};

int AllCores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

// A pool of `threads`. If the system gives fewer, half of what it gives: a limit that is used up by threads would leave
// nothing for the work itself.
std::unique_ptr<ThreadPool> MakePool(int threads) {
  auto pool = std::make_unique<ThreadPool>(threads);
  while (pool->size() < threads) {
    threads = (pool->size() + 1) / 2;
    pool.reset();
    pool = std::make_unique<ThreadPool>(threads);
  }
  return pool;
}

std::unique_ptr<ThreadPool>& Slot() {
  static std::unique_ptr<ThreadPool> pool;
  return pool;
}

// The pool, which is made when it is first needed: before that, its size may be set without a thread too many.
ThreadPool& Pool() {
  static std::once_flag made;
  std::call_once(made, [] {
    if (!Slot()) Slot() = MakePool(AllCores());
  });
  return *Slot();
}

}  // namespace

int NumThreads() { return Pool().size(); }

int FreeThreads() { return inside_task ? 1 : NumThreads(); }

void SetNumThreads(int threads) {
  if (threads < 0 || threads > 1024) {
    throw std::invalid_argument("[threads] expected 0 (all cores) to 1024, found " + std::to_string(threads));
  }
  const int wanted = threads == 0 ? AllCores() : threads;
  if (Slot() && Slot()->size() == wanted) return;
  Slot().reset();  // first, so that there are never the threads of two pools
  Slot() = MakePool(wanted);
}

void ParallelFor(Index tasks, const std::function<void(Index)>& body) {
  if (tasks <= 1 || FreeThreads() == 1) {
    for (Index i = 0; i < tasks; ++i) body(i);
    return;
  }
  Pool().Run(tasks, body);
}

void ParallelChunks(Index size, Index chunk, const std::function<void(Index, Index)>& body) {
  ParallelFor((size + chunk - 1) / chunk, [&](Index i) { body(i * chunk, std::min(size, (i + 1) * chunk)); });
}

}  // namespace ampgrad
