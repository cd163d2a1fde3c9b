#include "tensor/tensor.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "tensor/allocator.h"

namespace ampgrad {
namespace {

// A cache line, which is also the width of the widest vector: a load at a multiple of it stays within one line.
constexpr size_t kAlignment = 64;

std::atomic<Index> live_bytes{0}, peak_bytes{0};

void CountBytes(Index bytes) {
  const Index live = live_bytes += bytes;
  Index peak = peak_bytes;
  while (live > peak && !peak_bytes.compare_exchange_weak(peak, live)) {
  }
}

// Blocks of at least this size request pages of 2 MiB: otherwise a product that walks down a column of a large matrix
// needs the address of another page for each row. The system gives a large page only where no small page was touched
// before. The allocator writes sizes behind a block before the next request, so the advice covers memory beyond it.
constexpr size_t kLarge = 1 << 18;

void AskForHugePages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef __linux__
  constexpr uintptr_t kPage = 1 << 21;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes + kAllocatorGrowth) / kPage * kPage;
  // This is advice: the system skips memory that is not mapped, and if the call fails, small pages are used.
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

std::shared_ptr<Real> Allocate(Index count) {
  const size_t wanted = static_cast<size_t>(count) * sizeof(Real);
  const size_t bytes = std::max(kAlignment, (wanted + kAlignment - 1) / kAlignment * kAlignment);
  auto* data = static_cast<Real*>(std::aligned_alloc(kAlignment, bytes));
  if (data == nullptr) throw std::bad_alloc();
  if (bytes >= kLarge) AskForHugePages(data, bytes);
  CountBytes(static_cast<Index>(bytes));
  return std::shared_ptr<Real>(data, [bytes](Real* p) {
    std::free(p);
    live_bytes -= static_cast<Index>(bytes);
  });
}

}  // namespace

Tensor::Tensor(Shape shape) : shape_(shape), data_(Allocate(shape.size())) { Fill(0); }

Tensor Tensor::Absent(Shape shape) {
  Tensor t;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::Uninitialized(Shape shape) {
  Tensor t;
  t.shape_ = shape;
  t.data_ = Allocate(shape.size());
  return t;
}

Tensor Tensor::FromValues(Shape shape, const std::vector<Real>& values) {
  if (static_cast<Index>(values.size()) != shape.size()) {
    throw std::invalid_argument("[tensor] expected " + std::to_string(shape.size()) + " values for shape " +
                                shape.ToString() + ", found " + std::to_string(values.size()));
  }
  Tensor t = Uninitialized(shape);
  std::copy(values.begin(), values.end(), t.data());
  return t;
}

void Tensor::Fill(Real value) { std::fill(begin(), end(), value); }

Tensor Tensor::Clone() const {
  Tensor copy = Uninitialized(shape_);
  std::copy(begin(), end(), copy.data());
  return copy;
}

Tensor Tensor::Reshape(Shape shape) const {
  if (shape.size() != size()) {
    throw std::invalid_argument("[reshape] cannot see " + shape_.ToString() + " as " + shape.ToString());
  }
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::Rows(Index begin, Index end) const {
  if (begin < 0 || begin > end || end > rows()) {
    throw std::invalid_argument("[rows] rows " + std::to_string(begin) + ".." + std::to_string(end) +
                                " are not within " + shape_.ToString());
  }
  Tensor view;
  view.shape_ = {end - begin, cols()};
  view.data_ = std::shared_ptr<Real>(data_, data_.get() + begin * cols());
  return view;
}

Tensor Tensor::Columns(Index begin, Index end) const {
  if (begin < 0 || begin > end || end > cols()) {
    throw std::invalid_argument("[columns] columns " + std::to_string(begin) + ".." + std::to_string(end) +
                                " are not within " + shape_.ToString());
  }
  Tensor out = Uninitialized({rows(), end - begin});
  for (Index i = 0; i < rows(); ++i) std::copy(row(i) + begin, row(i) + end, out.row(i));
  return out;
}

Index Tensor::LiveBytes() { return live_bytes; }

Index Tensor::PeakBytes() { return peak_bytes; }

void Tensor::ResetPeakBytes() { peak_bytes = live_bytes.load(); }

}  // namespace ampgrad
