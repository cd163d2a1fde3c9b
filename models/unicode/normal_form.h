#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ampgrad::models {

/// The code points that one step of canonical decomposition takes apart, sorted by the composed one: into one, or into
/// two. Those of Hangul are computed. The tables are generated: models/unicode/make_normal_form_tables.py.
struct Singleton {
  char32_t composed, only;
};
struct Pair {
  char32_t composed, first, second;
};
extern const std::span<const Singleton> kSingletons;
extern const std::span<const Pair> kPairs;
/// The pairs that composition leaves apart, by what they would be.
extern const std::span<const char32_t> kNeverComposed;

/// The marks that have a place in the canonical order, as sorted ranges, both ends included. All else has class 0.
struct CombiningClass {
  char32_t first, last;
  uint8_t value;
};
extern const std::span<const CombiningClass> kCombiningClasses;

/// `text` in normalization form C: marks in canonical order, composed with what they stand on (Unicode Standard Annex
/// #15). Bytes that are not UTF-8 stay as they are.
std::string NormalFormC(std::string_view text);

}  // namespace ampgrad::models
