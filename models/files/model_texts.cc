#include "models/files/model_texts.h"

#include <stdexcept>
#include <utility>

#include "models/gguf/gguf_config.h"
#include "models/gguf/gguf_model.h"
#include "models/gguf/gguf_path.h"
#include "models/gguf/gguf_tokenizer.h"
#include "tensor/io/own_file.h"

namespace ampgrad::models {

std::optional<ModelText> ReadModelText(const std::filesystem::path& model, const std::string& name) {
  const auto gguf = GgufOf(model);
  if (!gguf) {
    const std::filesystem::path file = io::OwnFile(model, name);
    if (!io::IsThere(file)) return std::nullopt;
    return ModelText{io::ReadJsonObject(file), file.string()};
  }
  const GgufModel read(*gguf);
  if (name == "config.json") return ModelText{ConfigOf(read), read.file()};
  const bool tokenizer = !read.Value("tokenizer.ggml.model").null();
  if (name != "config.json" && !tokenizer) return std::nullopt;
  if (name == "tokenizer.json") return ModelText{TokenizerOf(read), read.file()};
  if (name == "tokenizer_config.json") return ModelText{TokenizerConfigOf(read), read.file()};
  if (name == "generation_config.json") return ModelText{GenerationConfigOf(read), read.file()};
  throw std::invalid_argument("[model text] unknown name " + name);
}

ModelText RequireModelText(const std::filesystem::path& model, const std::string& name) {
  if (std::optional<ModelText> text = ReadModelText(model, name)) return *std::move(text);
  throw std::runtime_error((model / name).string() + ": no such file");
}

}  // namespace ampgrad::models
