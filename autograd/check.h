#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tensor/shape.h"

namespace ampgrad::ops {

/// Throws std::invalid_argument "[op] message".
[[noreturn]] void Fail(const char* op, const std::string& message);

/// Throws std::invalid_argument "[op] expected `expected`, found x [2, 3], y [4]" unless `fits`.
void CheckShapes(bool fits, const char* op, const char* expected,
                 std::initializer_list<std::pair<const char*, Shape>> found);

/// Throws std::invalid_argument for the first of `ids` that is not in 0..rows-1.
void CheckIds(const char* op, const std::vector<int>& ids, Index rows);

}  // namespace ampgrad::ops
