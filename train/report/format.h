#pragma once

#include <string>

namespace ampgrad::report {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...);

/// "1.2e-12", "0", "NaN", "inf".
std::string Scientific(double value);

/// "2.003", "NaN", "inf"; scientific where three decimals would be too long or too few.
std::string Decimal(double value);

/// `error` as a part of `bound`: 0 for no error, infinity for an error where none is allowed.
double Share(double error, double bound);

/// A share as "12.34 %"; "-" where it is no number, as that of nothing.
std::string PercentOrDash(double share, int decimals);

/// A quoted cell of a CSV file (RFC 4180).
std::string CsvCell(const std::string& text);

}  // namespace ampgrad::report
