#include "models/files/weight_files.h"

#include <utility>

#include "models/files/gguf_files.h"
#include "models/files/nf4_files.h"
#include "models/files/safetensors_files.h"
#include "models/gguf/gguf_model.h"
#include "models/gguf/gguf_path.h"

namespace ampgrad::models {

std::vector<std::filesystem::path> WeightPaths(const std::filesystem::path& model) {
  std::vector<std::filesystem::path> paths;
  if (const auto gguf = GgufOf(model)) {
    const GgufModel read(*gguf);
    for (const io::GgufReader& part : read.parts()) paths.emplace_back(part.file());
    return paths;
  }
  for (const auto& entry : std::filesystem::directory_iterator(model)) {
    if (entry.path().extension() == ".safetensors") paths.push_back(entry.path());
  }
  return paths;
}

std::unique_ptr<WeightFiles> OpenWeights(const std::filesystem::path& model) {
  if (const auto gguf = GgufOf(model)) return std::make_unique<GgufFiles>(*gguf);
  auto files = std::make_unique<SafetensorsFiles>(model);
  if (Nf4Files::Holds(*files)) return std::make_unique<Nf4Files>(std::move(files));
  return files;
}

}  // namespace ampgrad::models
