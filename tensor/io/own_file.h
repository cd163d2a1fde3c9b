#pragma once

#include <filesystem>
#include <string>

namespace ampgrad::io {

/// What a name leads to, and whether it leads to anything. Throws std::runtime_error with the cause where the system
/// does not tell: a directory that may not be searched, a name that is too long.
std::filesystem::file_status StatusOf(const std::filesystem::path& path);

/// Whether something has this name. A link that leads nowhere counts: opening it gives the error. Throws as StatusOf.
bool IsThere(const std::filesystem::path& path);

/// The path of a file in a directory that is handed over as a whole, such as a model. Nobody named the file itself, so
/// a link must lead to a file below the directory or into the store of Hugging Face's cache: there, the directory
/// <model>/snapshots/<revision> holds links to <model>/blobs. Throws std::runtime_error for a link to elsewhere. A file
/// that does not exist is left to whoever opens it.
std::filesystem::path OwnFile(const std::filesystem::path& directory, const std::string& name);

}  // namespace ampgrad::io
