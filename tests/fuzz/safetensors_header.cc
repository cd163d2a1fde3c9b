// Any bytes as the header of a safetensors file: either they are refused in a sentence, or every tensor lies within the
// data. The independent checker must agree. The first byte says how many bytes of data follow the header.
#include "tensor/io/safetensors_header.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "tests/reference/safetensors_checker.h"

namespace ampgrad::models {
namespace {

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void Check(const io::SafetensorsHeader& header, uint64_t data_bytes) {
  uint64_t covered = 0;
  for (const io::TensorEntry& entry : header.entries) {
    Expect(entry.begin <= entry.end && entry.end <= data_bytes, "a tensor lies within the data");
    Expect(entry.begin == covered, "a tensor begins where the one before it ends");
    covered = entry.end;
  }
  Expect(covered == data_bytes, "every byte belongs to a tensor");
}

bool Accepts(const std::string& text, uint64_t data_bytes) {
  try {
    Check(io::ParseSafetensorsHeader(text, data_bytes, "f"), data_bytes);
    return true;
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    Expect(message.starts_with("f: ") && message.size() < 1000, "a message names the file and is short");
    for (const char c : message) Expect(static_cast<unsigned char>(c) >= 0x20, "a message is one printable line");
    return false;
  }
}

}  // namespace
}  // namespace ampgrad::models

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  if (size == 0) return 0;
  const uint64_t data_bytes = input[0], length = size - 1;
  const std::string text(reinterpret_cast<const char*>(input) + 1, length);
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  file += text + std::string(data_bytes, '\0');
  const bool accepted = ampgrad::models::Accepts(text, data_bytes);
  if (accepted != ampgrad::reference::SafetensorsChecker::Accepts(file)) {
    std::fprintf(stderr, "the checker disagrees: the reader %s the header\n", accepted ? "accepts" : "refuses");
    std::abort();
  }
  return 0;
}
