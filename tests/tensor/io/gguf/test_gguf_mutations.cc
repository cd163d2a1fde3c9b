#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

#include "tensor/io/gguf/gguf_header.h"
#include "tests/reference/gguf_checker.h"
#include "tests/tensor/io/gguf/gguf_bytes.h"

/// The reader against an independent checker, on files that are almost valid.
namespace ampgrad::io {
namespace {

std::string Valid(uint64_t which) {
  GgufBytes file;
  if (which == 0) {
    file.Start(2, 2).U32("general.alignment", 8).String("general.architecture", "llama");
    file.Tensor("token_embd.weight", {32, 2}, 8, 0).Tensor("output_norm.weight", {4}, 0, 72).Data(88, 8);
  } else if (which == 1) {
    file.Start(1, 2, 2).Text("tokens").Add<uint32_t>(9).Add<uint32_t>(8).Add<uint64_t>(2).Text("\u2581a").Text("b");
    file.Text("deep").Add<uint32_t>(9).Add<uint32_t>(9).Add<uint64_t>(1).Add<uint32_t>(7).Add<uint64_t>(2);
    file.Add<uint8_t>(0).Add<uint8_t>(1).Tensor("t", {256}, 14, 0).Data(210);
  } else {
    file.Start(3, 0).Tensor("a", {3, 1, 1, 2}, 30, 0).Tensor("b", {32}, 2, 32).Tensor("c", {32}, 7, 64).Data(88);
  }
  return file.bytes;
}

TEST(Gguf, AgreesWithAnIndependentChecker) {
  const char* wanted = std::getenv("AMPGRAD_MUTATIONS");
  const uint64_t rounds = wanted ? std::strtoull(wanted, nullptr, 10) : 20'000;
  std::mt19937_64 random(1);
  const auto below = [&](uint64_t bound) { return random() % bound; };
  constexpr uint64_t kNumbers[] = {
      0,         1,  2,  3,  4,   7,          8,          9,          10,         12,
      31,        32, 33, 64, 255, 1ull << 31, 1ull << 32, 1ull << 62, 1ull << 63, UINT64_MAX - 31,
      UINT64_MAX};
  uint64_t accepted = 0;
  for (uint64_t round = 0; round < rounds; ++round) {
    std::string file = Valid(below(3));
    for (uint64_t changes = below(3); changes-- > 0 && !file.empty();) {
      const uint64_t at = below(file.size()), kind = below(8);
      const uint64_t number = kNumbers[below(std::size(kNumbers))];
      const size_t size = kind == 0 ? 8 : kind == 1 ? 4 : 1;
      if (kind < 4) file.replace(at, size, std::string(reinterpret_cast<const char*>(&number), size));
      if (kind == 4) file[at] = static_cast<char>(below(256));
      if (kind == 5) file.resize(at);
      if (kind == 6) file.append(below(40), '\0');
      if (kind == 7) file[at] = static_cast<char>(file[at] ^ (1 << below(8)));
    }
    bool read = true;
    std::string message;
    try {
      for (const GgufTensor& tensor : ParseGgufHeader(file, "f").tensors) {
        ASSERT_LE(tensor.begin, tensor.end);
        ASSERT_LE(tensor.end, file.size());
      }
    } catch (const std::runtime_error& error) {
      read = false;
      message = error.what();
      ASSERT_TRUE(message.starts_with("f: ") && message.size() < 1000) << message;
    }
    ASSERT_EQ(read, reference::GgufChecker::Accepts(file)) << "round " << round << ": " << message;
    accepted += read;
  }
  EXPECT_GT(accepted, rounds / 20);  // else the mutations are too wild to find much
  EXPECT_LT(accepted, rounds);
}

}  // namespace
}  // namespace ampgrad::io
