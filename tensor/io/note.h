#pragma once

#include <string>

namespace ampgrad::io {

/// Tells the user on stderr what should be known though nothing is wrong: "ampgrad: note: …", one line, made safe for a
/// terminal (`Printable`) and cut when it is long.
void Note(const std::string& text);

}  // namespace ampgrad::io
