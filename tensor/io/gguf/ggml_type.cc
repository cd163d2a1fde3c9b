#include "tensor/io/gguf/ggml_type.h"

#include <stdexcept>
#include <utility>

namespace ampgrad::io {
namespace {

// All types that llama.cpp may write, so that a message can name one that is not read here.
constexpr std::pair<uint32_t, const char*> kNames[] = {
    {0, "F32"},      {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},   {6, "Q5_0"},    {7, "Q5_1"},   {8, "Q8_0"},
    {9, "Q8_1"},     {10, "Q2_K"},   {11, "Q3_K"},    {12, "Q4_K"},  {13, "Q5_K"},   {14, "Q6_K"},  {15, "Q8_K"},
    {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},
    {23, "IQ4_XS"},  {24, "I8"},     {25, "I16"},     {26, "I32"},   {27, "I64"},    {28, "F64"},   {29, "IQ1_M"},
    {30, "BF16"},    {34, "TQ1_0"},  {35, "TQ2_0"},   {39, "MXFP4"}};

}  // namespace

StoredType StoredTypeOf(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return StoredType::kF32;
    case GgmlType::kF16:
      return StoredType::kF16;
    case GgmlType::kBf16:
      return StoredType::kBf16;
    case GgmlType::kQ4_0:
      return StoredType::kQ4_0;
    case GgmlType::kQ4_1:
      return StoredType::kQ4_1;
    case GgmlType::kQ5_0:
      return StoredType::kQ5_0;
    case GgmlType::kQ5_1:
      return StoredType::kQ5_1;
    case GgmlType::kQ8_0:
      return StoredType::kQ8_0;
    case GgmlType::kQ4K:
      return StoredType::kQ4K;
    case GgmlType::kQ5K:
      return StoredType::kQ5K;
    case GgmlType::kQ6K:
      return StoredType::kQ6K;
  }
  throw std::invalid_argument("[gguf] unknown type " + std::to_string(static_cast<uint32_t>(type)));
}

std::optional<GgmlType> KnownGgmlType(uint32_t value) {
  constexpr GgmlType kKnown[] = {GgmlType::kF32,  GgmlType::kF16,  GgmlType::kBf16, GgmlType::kQ4_0,
                                 GgmlType::kQ4_1, GgmlType::kQ5_0, GgmlType::kQ5_1, GgmlType::kQ8_0,
                                 GgmlType::kQ4K,  GgmlType::kQ5K,  GgmlType::kQ6K};
  for (const GgmlType type : kKnown) {
    if (static_cast<uint32_t>(type) == value) return type;
  }
  return std::nullopt;
}

std::string GgmlTypeName(uint32_t value) {
  for (const auto& [known, name] : kNames) {
    if (known == value) return name;
  }
  return "type " + std::to_string(value);
}

}  // namespace ampgrad::io
