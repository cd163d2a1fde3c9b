// Any bytes as a GGUF file: either they are refused in a sentence, or every tensor lies within the file. The
// independent checker must agree.
#include "tensor/io/gguf/gguf_header.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tests/reference/gguf_checker.h"

namespace ampgrad::io {
namespace {

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

bool Accepts(const std::string& file) {
  try {
    for (const GgufTensor& tensor : ParseGgufHeader(file, "f").tensors) {
      Expect(tensor.begin <= tensor.end && tensor.end <= file.size(), "a tensor lies within the file");
    }
    return true;
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    Expect(message.starts_with("f: ") && message.size() < 1000, "a message names the file and is short");
    for (const char c : message) Expect(static_cast<unsigned char>(c) >= 0x20, "a message is one printable line");
    return false;
  }
}

}  // namespace
}  // namespace ampgrad::io

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string file(reinterpret_cast<const char*>(input), size);
  if (ampgrad::io::Accepts(file) != ampgrad::reference::GgufChecker::Accepts(file)) {
    std::fprintf(stderr, "the checker disagrees with the reader\n");
    std::abort();
  }
  return 0;
}
