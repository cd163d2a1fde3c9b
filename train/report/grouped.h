#pragma once

#include <string>

#include "tensor/real.h"

/// Counts as people read them.
namespace ampgrad::report {

/// "16,230,400", "-1,000".
std::string Grouped(Index count);

/// A share, of four digits: "2.287 %", "0.01262 %", "100 %".
std::string Percent(double share);

/// A ratio, of four digits: "43.73 ×"; from ten thousand on whole and grouped: "246,563 ×".
std::string Times(double ratio);

/// Bytes in decimal units, of three digits: "16.5 MB", "1.84 GB", "96 B".
std::string Bytes(double bytes);

}  // namespace ampgrad::report
