#include "tensor/thread_pool.h"

#include <algorithm>
#include <atomic>
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

// How long a thread looks for a change before it sleeps. A training step makes a call every hundred microseconds or so, and
// waking a sleeper costs a good part of that.
constexpr std::chrono::microseconds kSpin{100};

// Watches `done` for kSpin; whether it came true.
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

// A call publishes {body, tasks} under a new generation number, takes part itself, and returns when the last worker has
// left the call. Who runs which task is decided by an atomic counter, which changes no result.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { WorkerLoop(); });
  }

  ~ThreadPool() {
    Publish([this] { stopping_ = true; });
    for (std::thread& worker : workers_) worker.join();
  }

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  void Run(Index tasks, const std::function<void(Index)>& body) {
    std::lock_guard<std::mutex> one_call_at_a_time(call_mutex_);
    Publish([&] {
      body_ = &body;
      tasks_ = tasks;
      next_ = 0;
      error_ = nullptr;
      active_ = static_cast<int>(workers_.size());
    });
    TakeTasks();
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

  void WorkerLoop() {
    uint64_t seen = 0;
    while (true) {
      if (!Spin([&] { return generation_ != seen; })) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_ != seen; });
      }
      seen = generation_;
      if (stopping_) return;
      TakeTasks();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--active_ == 0) done_.notify_one();
    }
  }

  void TakeTasks() {
    inside_task = true;
    for (Index i = next_++; i < tasks_; i = next_++) {
      try {
        (*body_)(i);
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
    inside_task = false;
  }

  std::vector<std::thread> workers_;
  std::mutex call_mutex_, mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(Index)>* body_ = nullptr;
  Index tasks_ = 0;
  std::atomic<Index> next_{0};
  std::exception_ptr error_;
  std::atomic<int> active_{0};           // workers still in the call
  std::atomic<uint64_t> generation_{0};  // of the call
  bool stopping_ = false;
};

int AllCores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::unique_ptr<ThreadPool>& Pool() {
  static std::unique_ptr<ThreadPool> pool = std::make_unique<ThreadPool>(AllCores());
  return pool;
}

}  // namespace

int NumThreads() { return Pool()->size(); }

int FreeThreads() { return inside_task ? 1 : NumThreads(); }

void SetNumThreads(int threads) {
  if (threads < 0 || threads > 1024) {
    throw std::invalid_argument("[threads] expected 0 (all cores) to 1024, found " + std::to_string(threads));
  }
  const int wanted = threads == 0 ? AllCores() : threads;
  if (wanted != NumThreads()) Pool() = std::make_unique<ThreadPool>(wanted);
}

void ParallelFor(Index tasks, const std::function<void(Index)>& body) {
  if (tasks <= 1 || FreeThreads() == 1) {
    for (Index i = 0; i < tasks; ++i) body(i);
    return;
  }
  Pool()->Run(tasks, body);
}

void ParallelChunks(Index size, Index chunk, const std::function<void(Index, Index)>& body) {
  ParallelFor((size + chunk - 1) / chunk, [&](Index i) { body(i * chunk, std::min(size, (i + 1) * chunk)); });
}

}  // namespace ampgrad
