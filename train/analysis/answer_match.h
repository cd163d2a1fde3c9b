#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ampgrad::train {

/// How a generated answer is compared with the one of the data.
enum class Match { kNone, kNumber, kText };

/// "none", "number", "text".
const char* ToString(Match match);
/// Throws std::invalid_argument for any other name.
Match ParseMatch(const std::string& name);

/// The number that a text ends in, as GSM8K scores it: the first one behind "####" or, where that is missing, the last.
/// Commas between digits, "$" and a full stop at the end are no part of it, and 007.50 is 7.5. None without a number.
std::optional<std::string> FinalNumber(std::string_view text);

/// By number: both have a final one, and it is the same. By text: equal but for whitespace at the ends. kNone never
/// agrees.
bool Agree(Match match, const std::string& answer, const std::string& expected);

}  // namespace ampgrad::train
