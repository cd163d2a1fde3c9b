#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// Reference results. Those in tests/golden are part of the repository: a test whose file is missing there fails. Real
/// models and tokenizers are too large for it. Where a machine has them beside the checkout, the build defines
/// AMPGRAD_SHARED_DIR and the tests of real data exist, too.
namespace ampgrad {

inline std::filesystem::path Golden(const std::string& name) {
  return std::filesystem::path(AMPGRAD_SOURCE_DIR) / "tests/golden" / name;
}

#ifdef AMPGRAD_SHARED_DIR
inline std::filesystem::path Shared(const std::string& name) {
  return std::filesystem::path(AMPGRAD_SHARED_DIR) / name;
}

inline const std::filesystem::path kStories = Shared("golden/stories260K");
#endif

/// `golden` and, of the real data that are there, `shared`.
inline std::vector<std::filesystem::path> GoldenAndShared(const std::vector<std::string>& golden,
                                                          [[maybe_unused]] const std::vector<std::string>& shared) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& name : golden) paths.push_back(Golden(name));
#ifdef AMPGRAD_SHARED_DIR
  for (const std::string& name : shared) paths.push_back(Shared(name));
#endif
  return paths;
}

/// The name of a directory as the name of a test may be: without hyphens.
inline std::string TestNameOf(const std::filesystem::path& directory) {
  std::string name = directory.filename().string();
  std::erase(name, '-');
  return name;
}

}  // namespace ampgrad
