#include "tensor/io/note.h"

#include <cstdio>

#include "tensor/io/printable.h"

namespace ampgrad::io {

void Note(const std::string& text) {
  constexpr size_t kLongest = 2000;
  std::fprintf(stderr, "ampgrad: note: %s\n", Shortened(Printable(text), kLongest).c_str());
}

}  // namespace ampgrad::io
