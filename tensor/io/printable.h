#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace ampgrad::io {

/// `text` made safe for a terminal, which may take control characters for commands: each byte of a control character
/// (those below a space, DEL, U+0080..U+009F) or of invalid UTF-8 becomes \xNN. `kept` lists characters that stay.
std::string Printable(std::string_view text, std::string_view kept = "");

/// `text` of at most `longest` bytes; of a longer one the middle is replaced by "…".
std::string Shortened(const std::string& text, size_t longest);

/// Throws std::runtime_error: "FILE: MESSAGE".
[[noreturn]] void RefuseToRead(const std::string& file, const std::string& message);
/// Throws std::invalid_argument: "PATH: cannot write WHAT".
[[noreturn]] void RefuseToWrite(const std::filesystem::path& path, const std::string& what);

}  // namespace ampgrad::io
