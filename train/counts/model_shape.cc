#include "train/counts/model_shape.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "models/files/model_texts.h"
#include "models/gpt.h"
#include "models/llama.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

constexpr double kMostNumbers = 1e15;  // far beyond any model; products of counts still fit into an Index

ModelShape ShapeOf(const models::GptConfig& config) {
  ModelShape shape{.family = "GPT-2", .model = std::make_unique<models::Gpt>(config, models::Vectors::kAbsent)};
  shape.inner = config.inner();
  shape.heads = shape.kv_heads = config.n_head;
  shape.tied = config.tie_word_embeddings;
  shape.has_masks = true;
  return shape;
}

ModelShape ShapeOf(const models::LlamaConfig& config) {
  ModelShape shape{.family = "Llama", .model = std::make_unique<models::Llama>(config, models::Vectors::kAbsent)};
  shape.inner = config.intermediate_size;
  shape.heads = config.num_attention_heads;
  shape.kv_heads = config.kv_heads();
  shape.tied = config.tie_word_embeddings;
  return shape;
}

models::LlamaConfig LlamaSizes(Index width, Index inner, Index layers, Index heads, Index kv_heads, Index context) {
  models::LlamaConfig config;
  config.hidden_size = width;
  config.intermediate_size = inner;
  config.num_hidden_layers = layers;
  config.num_attention_heads = heads;
  config.num_key_value_heads = kv_heads;
  config.max_position_embeddings = context;
  return config;
}

models::GptConfig PhotonicConfig() {
  models::GptConfig config = models::PresetConfig("photonic");
  config.vocab_size = 15007;
  return config;
}

// Refuses a model whose counts might not fit, before one is taken: in double, which only grows coarse.
void RequireCountable(const ModelShape& shape, const io::JsonValue& config) {
  const double layers = static_cast<double>(shape.model->layers()),
               context = static_cast<double>(shape.model->context());
  double numbers = shape.has_masks ? layers * context * context : 0;
  for (const nn::Matrix* matrix : shape.model->Parts().matrices) {
    numbers += static_cast<double>(matrix->in) * static_cast<double>(matrix->out) * matrix->copies;
  }
  for (const Param* vector : shape.model->Parts().vectors) numbers += static_cast<double>(vector->value.shape().size());
  if (numbers > kMostNumbers) config.Fail("a model of at most 1e15 numbers", report::Format("%.3g", numbers));
}

}  // namespace

std::vector<std::string> ShapePresets() {
  return {"photonic", "gpt2", "gpt2-xl", "tinyllama", "llama-7b", "llama-13b", "llama-70b"};
}

ModelShape PresetShape(const std::string& name) {
  ModelShape shape;
  if (name == "photonic") {
    shape = ShapeOf(PhotonicConfig());
    shape.note =
        "PhotonicGPT, as the papers' counts pin it down; the preset photonic of other commands is the same shape with "
        "a vocabulary of 256 bytes.";
  } else if (name == "gpt2") {
    shape = ShapeOf(models::GptConfig());
  } else if (name == "gpt2-xl") {
    models::GptConfig config;
    config.n_embd = 1600, config.n_layer = 48, config.n_head = 25;
    shape = ShapeOf(config);
  } else if (name == "tinyllama") {
    shape = ShapeOf(LlamaSizes(2048, 5632, 22, 32, 4, 2048));
  } else if (name == "llama-7b") {
    shape = ShapeOf(LlamaSizes(4096, 11008, 32, 32, 32, 2048));
  } else if (name == "llama-13b") {
    shape = ShapeOf(LlamaSizes(5120, 13824, 40, 40, 40, 2048));
  } else if (name == "llama-70b") {
    shape = ShapeOf(LlamaSizes(8192, 28672, 80, 64, 8, 4096));
  } else {
    std::string names;
    for (const std::string& known : ShapePresets()) names += (names.empty() ? "" : ", ") + known;
    throw std::invalid_argument("[counts] expected a preset of " + names + ", found '" + name + "'");
  }
  shape.name = name;
  return shape;
}

ModelShape ReadShape(const fs::path& directory) {
  if (!fs::exists(io::StatusOf(directory)))
    throw std::runtime_error(directory.string() + ": no such model directory or GGUF file");
  const models::ModelText text = models::RequireModelText(directory, "config.json");
  const io::JsonValue config = text.value(), type = config.Field("model_type");
  ModelShape shape;
  if (type.StringOr("") == "gpt2") {
    shape = ShapeOf(models::GptConfig::FromJson(config));
  } else if (type.StringOr("") == "llama") {
    shape = ShapeOf(models::LlamaConfig::FromJson(config));
  } else {
    type.Fail("\"gpt2\" or \"llama\"");
  }
  RequireCountable(shape, config);
  shape.name = directory.string();
  return shape;
}

}  // namespace ampgrad::train
