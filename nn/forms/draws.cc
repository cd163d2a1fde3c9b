#include "nn/forms/draws.h"

namespace ampgrad::nn {

uint64_t StreamOf(const std::string& matrix) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : matrix) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace ampgrad::nn
