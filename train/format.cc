#include "train/format.h"

#include <cstdarg>
#include <cstdio>

namespace ampgrad::train {

std::string Format(const char* format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  std::string text(static_cast<size_t>(std::vsnprintf(nullptr, 0, format, args)), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(args);
  va_end(again);
  return text;
}

}  // namespace ampgrad::train
