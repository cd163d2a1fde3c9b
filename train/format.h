#pragma once

#include <string>

namespace ampgrad::train {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...);

}  // namespace ampgrad::train
