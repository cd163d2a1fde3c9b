#pragma once

#include <filesystem>

namespace ampgrad::io {

/// A directory that appears whole or not at all: files are written to a sibling directory. Commit renames it to
/// `target`; without Commit it is removed.
class StagedDirectory {
 public:
  /// Throws std::runtime_error when `target` exists and is not an empty directory, or when the directory that would
  /// hold it is not writable.
  explicit StagedDirectory(const std::filesystem::path& target);
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  /// The directory to write to. The first call creates it and its missing parents, so a run that is killed before it
  /// writes leaves nothing.
  const std::filesystem::path& path();
  void Commit();

 private:
  std::filesystem::path target_, staging_;
};

}  // namespace ampgrad::io
