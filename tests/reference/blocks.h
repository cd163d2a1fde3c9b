#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tensor/stored_tensor.h"

/// The numbers of quantised blocks by their description, byte by byte: ggml's dequantize_row_* (ggml-quants.c), and
/// bitsandbytes' NF4. In double every formula is exact.
namespace ampgrad::reference {

inline double HalfAt(const uint8_t* at) {
  const int bits = at[0] | at[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -size : size;
}

/// One block of 32: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1.
inline std::vector<double> WidenSmall(StoredType type, const uint8_t* block) {
  std::vector<double> y(32);
  const double d = HalfAt(block);
  if (type == StoredType::kQ8_0) {
    for (int j = 0; j < 32; ++j) y[j] = d * static_cast<int8_t>(block[2 + j]);
    return y;
  }
  const bool with_least = type == StoredType::kQ4_1 || type == StoredType::kQ5_1;
  const bool five = type == StoredType::kQ5_0 || type == StoredType::kQ5_1;
  const double m = with_least ? HalfAt(block + 2) : 0;
  const uint8_t* rest = block + (with_least ? 4 : 2);
  uint32_t h = 0;
  if (five) {
    std::memcpy(&h, rest, 4);
    rest += 4;
  }
  const int middle = with_least ? 0 : five ? 16 : 8;
  for (int j = 0; j < 16; ++j) {
    const int low = (rest[j] & 15) | ((h >> j << 4) & 16), high = rest[j] >> 4 | (h >> (j + 12) & 16);
    y[j] = d * (low - middle) + m;
    y[j + 16] = d * (high - middle) + m;
  }
  return y;
}

/// One block of 256: Q4_K, Q5_K.
inline std::vector<double> WidenK(StoredType type, const uint8_t* block) {
  std::vector<double> y;
  const double d = HalfAt(block), dmin = HalfAt(block + 2);
  const uint8_t *s = block + 4, *qh = block + 16, *qs = type == StoredType::kQ5K ? block + 48 : block + 16;
  const auto scale = [&](int j) { return j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4; };
  const auto least = [&](int j) { return j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4; };
  for (int g = 0; g < 4; ++g) {
    for (int upper = 0; upper < 2; ++upper) {
      for (int l = 0; l < 32; ++l) {
        int q = upper ? qs[32 * g + l] >> 4 : qs[32 * g + l] & 15;
        if (type == StoredType::kQ5K && (qh[l] & 1 << (2 * g + upper))) q += 16;
        y.push_back(d * scale(2 * g + upper) * q - dmin * least(2 * g + upper));
      }
    }
  }
  return y;
}

/// One block of Q6_K, 256 numbers.
inline std::vector<double> WidenQ6K(const uint8_t* block) {
  std::vector<double> y(256);
  const double d = HalfAt(block + 208);
  for (int n = 0; n < 2; ++n) {
    const uint8_t *ql = block + 64 * n, *qh = block + 128 + 32 * n;
    const int8_t* sc = reinterpret_cast<const int8_t*>(block + 192 + 8 * n);
    for (int l = 0; l < 32; ++l) {
      const int is = l / 16;
      y[128 * n + l] = d * sc[is] * (((ql[l] & 15) | (qh[l] & 3) << 4) - 32);
      y[128 * n + l + 32] = d * sc[is + 2] * (((ql[l + 32] & 15) | (qh[l] >> 2 & 3) << 4) - 32);
      y[128 * n + l + 64] = d * sc[is + 4] * ((ql[l] >> 4 | (qh[l] >> 4 & 3) << 4) - 32);
      y[128 * n + l + 96] = d * sc[is + 6] * ((ql[l + 32] >> 4 | (qh[l] >> 6 & 3) << 4) - 32);
    }
  }
  return y;
}

/// bitsandbytes' quant_map of NF4.
inline std::vector<double> Nf4Map() {
  std::vector<double> map;
  for (const float value : {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
                            -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
                            0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
                            0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f}) {
    map.push_back(value);
  }
  return map;
}

/// One block of 32: a float, then two codes a byte, the upper four bits first.
inline std::vector<double> WidenNf4(const uint8_t* block) {
  float absmax;
  std::memcpy(&absmax, block, sizeof(absmax));
  const std::vector<double> map = Nf4Map();
  std::vector<double> y;
  for (int i = 0; i < 16; ++i) {
    y.push_back(map[block[4 + i] >> 4] * absmax);
    y.push_back(map[block[4 + i] & 15] * absmax);
  }
  return y;
}

/// All numbers of a tensor of blocks.
inline std::vector<double> WidenAll(const StoredTensor& x) {
  std::vector<double> all;
  const uint8_t* bytes = static_cast<const uint8_t*>(x.data());
  for (Index i = 0; i < x.bytes(); i += BytesOf(x.type())) {
    const bool small = BlockOf(x.type()).numbers == 32;
    const std::vector<double> y = x.type() == StoredType::kNf4   ? WidenNf4(bytes + i)
                                  : x.type() == StoredType::kQ6K ? WidenQ6K(bytes + i)
                                  : small                        ? WidenSmall(x.type(), bytes + i)
                                                                 : WidenK(x.type(), bytes + i);
    all.insert(all.end(), y.begin(), y.end());
  }
  return all;
}

}  // namespace ampgrad::reference
