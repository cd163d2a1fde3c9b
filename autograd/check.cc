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

}  // namespace ampgrad::ops
