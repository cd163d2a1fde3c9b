#pragma once

#include <string>

namespace ampgrad::train {

/// A link between any two ranks, which carries both ways at once.
struct Network {
  double bits_per_second;
  double latency;  // seconds, one way
};

/// "100mbit", "1gbit" or "10gbit". Throws std::invalid_argument for another word.
double BitsPerSecond(const std::string& rate);

/// Seconds in which `ranks` ranks add up `bytes` that each of them has, on networks: a reduction by halves and its way
/// back, as MPIs choose for long messages (Thakur, Rabenseifner and Gropp, "Optimization of collective communication
/// operations in MPICH", 2005): 2⌈log2 P⌉ messages one after another, and 2(P − 1)/P·bytes out of each rank. A message
/// waits for three latencies, as its sender asks the receiver first. Frames of 1,500 bytes carry 94 % of a rate as
/// data. Long sums are cut into parts of 32 MB. What adding itself takes is left out.
double SumSeconds(const Network& network, int ranks, double bytes);

}  // namespace ampgrad::train
