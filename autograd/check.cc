#include "autograd/check.h"

#include <stdexcept>

namespace ampgrad::ops {

void Fail(const char* op, const std::string& message) {
  throw std::invalid_argument("[" + std::string(op) + "] " + message);
}

void CheckShapes(bool fits, const char* op, const char* expected,
                 std::initializer_list<std::pair<const char*, Shape>> found) {
  if (fits) return;
  std::string message = std::string("expected ") + expected + ", found";
  const char* separator = " ";
  for (const auto& [name, shape] : found) {
    message += separator + std::string(name) + " " + shape.ToString();
    separator = ", ";
  }
  Fail(op, message);
}

void CheckIds(const char* op, const std::vector<int>& ids, Index rows) {
  for (size_t n = 0; n < ids.size(); ++n) {
    if (ids[n] < 0 || ids[n] >= rows) {
      Fail(op, "expected ids in 0.." + std::to_string(rows - 1) + ", found " + std::to_string(ids[n]) +
                   " at position " + std::to_string(n));
    }
  }
}

}  // namespace ampgrad::ops
