#pragma once

#include <filesystem>
#include <functional>
#include <vector>

namespace ampgrad::io {

/// Brings the entries of a directory to disk: a new file survives a power loss once its bytes and its name are there.
/// Throws std::runtime_error.
void SyncDirectory(const std::filesystem::path& directory);

/// A directory that appears whole or not at all: files are written to a sibling directory, `.NAME.partial-XXXXXX`.
/// Commit renames it to `target`; without Commit it is removed. What a killed process left is removed by the next that
/// writes to the same target.
class StagedDirectory {
 public:
  /// Throws std::runtime_error when Commit could not succeed: `target` exists and is not an empty directory, is a mount
  /// point or a link to nothing, or the directory that would hold it is not writable.
  explicit StagedDirectory(const std::filesystem::path& target);
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  /// The directory to write to. The first call creates it and its missing parents, so a run that is killed before it
  /// writes leaves nothing.
  const std::filesystem::path& path();
  /// Puts the directory in place; from then on it survives a power loss. Throws std::runtime_error with the cause.
  void Commit();

  /// Calls `write` with path(), then Commit. If one of them fails, the files that are complete are kept, since they may
  /// hold the work of days: it throws std::runtime_error, whose message says where. With nothing to keep it throws what
  /// failed.
  void Fill(const std::function<void(const std::filesystem::path&)>& write);

 private:
  void Create();
  void Release();
  std::filesystem::path Kept();

  std::filesystem::path target_, staging_;
  std::vector<std::filesystem::path> changed_;  // directories with a new entry, once it is in place
  int lock_ = -1;                               // the staging directory, locked: a process that is alive holds it
};

}  // namespace ampgrad::io
