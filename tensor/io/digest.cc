#include "tensor/io/digest.h"

#include <bit>
#include <cstdio>
#include <cstring>

#include "tensor/io/mapped_file.h"

namespace ampgrad::io {

// A multiplication carries each bit upwards, a rotation brings it down again. Twice, so that the highest bit spreads,
// too: the change of one bit must not look like that of another in the next word.
void Digest::AddWord(uint64_t word) {
  constexpr uint64_t kFirst = 0x87C37B91114253D5, kSecond = 0x4CF5AD432745937F;  // of MurmurHash3
  hash_ ^= std::rotl(word * kFirst, 31) * kSecond;
  hash_ = std::rotl(hash_, 27) * 5 + 0x52DCE729;
}

void Digest::Add(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  AddWord(size);
  const size_t whole = size / 8 * 8;
  for (size_t at = 0; at < whole; at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + at, 8);
    AddWord(word);
  }
  uint64_t rest = 0;
  if (whole < size) std::memcpy(&rest, bytes + whole, size - whole);
  AddWord(rest);
  AddWord(0);
}

std::string Digest::Text() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
  return text;
}

std::string DigestOfFile(const std::filesystem::path& path) {
  const MappedFile file(path);
  file.RequireWhole();
  Digest digest;
  digest.Add(file.data(), file.size());
  return std::to_string(file.size()) + " bytes, hash " + digest.Text();
}

}  // namespace ampgrad::io
