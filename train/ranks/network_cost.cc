#include "train/ranks/network_cost.h"

#include <bit>
#include <cmath>
#include <stdexcept>

namespace ampgrad::train {

double BitsPerSecond(const std::string& rate) {
  if (rate == "100mbit") return 1e8;
  if (rate == "1gbit") return 1e9;
  if (rate == "10gbit") return 1e10;
  throw std::invalid_argument("[network] expected 100mbit, 1gbit or 10gbit, found '" + rate + "'");
}

double SumSeconds(const Network& network, int ranks, double bytes) {
  constexpr double kData = 1448.0 / 1538, kPart = 1 << 25, kLatencies = 3;
  const double messages = 2.0 * std::bit_width(static_cast<unsigned>(ranks - 1)) * std::ceil(bytes / kPart);
  const double sent = 2.0 * (ranks - 1) / ranks * bytes;
  return messages * kLatencies * network.latency + 8 * sent / (kData * network.bits_per_second);
}

}  // namespace ampgrad::train
