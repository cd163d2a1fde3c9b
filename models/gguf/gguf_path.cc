#include "models/gguf/gguf_path.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/io/gguf/gguf_reader.h"
#include "tensor/io/own_file.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

// Whether a name is that of a later part of a split model: NAME-00002-of-00003.gguf.
bool IsLaterPart(const std::string& name) {
  constexpr size_t kSuffix = sizeof("-00002-of-00003.gguf") - 1;
  if (name.size() < kSuffix) return false;
  const std::string suffix = name.substr(name.size() - kSuffix);
  return suffix[0] == '-' && suffix.substr(6, 4) == "-of-" && suffix.substr(1, 5) != "00001" &&
         std::all_of(suffix.begin() + 1, suffix.begin() + 6, [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

std::optional<fs::path> GgufOf(const fs::path& model) {
  const fs::file_status status = io::StatusOf(model);
  if (fs::is_regular_file(status)) return model;
  if (!fs::is_directory(status)) return std::nullopt;
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"}) {
    if (io::IsThere(model / name)) return std::nullopt;
  }
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(model)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".gguf") && !IsLaterPart(name)) found.push_back(name);
  }
  std::ranges::sort(found);
  if (found.empty()) return std::nullopt;
  if (found.size() > 1) {
    throw std::runtime_error(model.string() + ": expected one GGUF file, found " + std::to_string(found.size()) +
                             ", such as " + found[0] + " and " + found[1] + "; name one of them");
  }
  return io::OwnFile(model, found[0]);
}

}  // namespace ampgrad::models
