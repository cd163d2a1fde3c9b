#include "tensor/io/digest.h"

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "tensor/io/mapped_file.h"

namespace ampgrad::io {

std::string DigestOfFile(const std::filesystem::path& path) {
  constexpr uint64_t kFirst = 0x87C37B91114253D5, kSecond = 0x4CF5AD432745937F;  // of MurmurHash3
  const MappedFile file(path);
  file.RequireWhole();
  uint64_t hash = file.size();
  // A multiplication carries each bit upwards, a rotation brings it down again. Twice, so that the highest bit spreads,
  // too: the change of one bit must not look like that of another in the next word.
  const auto add = [&](uint64_t word) {
    hash ^= std::rotl(word * kFirst, 31) * kSecond;
    hash = std::rotl(hash, 27) * 5 + 0x52DCE729;
  };
  const uint64_t whole = file.size() / 8 * 8;
  for (uint64_t at = 0; at < whole; at += 8) {
    uint64_t word;
    std::memcpy(&word, file.data() + at, 8);
    add(word);
  }
  uint64_t rest = 0;
  if (whole < file.size()) std::memcpy(&rest, file.data() + whole, file.size() - whole);
  add(rest);
  add(0);
  char text[64];
  std::snprintf(text, sizeof text, "%llu bytes, hash %016llx", static_cast<unsigned long long>(file.size()),
                static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace ampgrad::io
