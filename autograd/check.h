#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "tensor/shape.h"

namespace ampgrad::ops {

/// Throws std::invalid_argument "[op] message".
[[noreturn]] void Fail(const char* op, const std::string& message);

/// Throws std::invalid_argument "[op] expected `expected`, found x [2, 3], y [4]" unless `fits`.
void CheckShapes(bool fits, const char* op, const char* expected,
                 std::initializer_list<std::pair<const char*, Shape>> found);

}  // namespace ampgrad::ops
