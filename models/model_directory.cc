#include "models/model_directory.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "models/chat/configured_tokens.h"
#include "models/files/model_texts.h"
#include "models/files/safetensors_files.h"
#include "models/files/weight_files.h"
#include "models/files/weight_names.h"
#include "models/gguf/gguf_path.h"
#include "models/gpt.h"
#include "models/llama.h"
#include "nn/forms/frozen.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/note.h"
#include "tensor/io/own_file.h"
#include "tensor/io/safetensors_header.h"
#include "tensor/io/safetensors_writer.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

constexpr char kHead[] = "lm_head.weight";

[[noreturn]] void FailWithoutConfig(const fs::path& directory) {
  if (io::IsThere(directory / "adapter_config.json")) FailForAdapter(directory);
  const std::string hint = io::IsThere(directory / "params.json")
                               ? "; params.json is that of Meta's own form: convert the model to Hugging Face's form"
                               : "";
  throw std::runtime_error((directory / "config.json").string() + ": no such file" + hint);
}

// Whether matrices are quantised by bitsandbytes to NF4, which `Nf4Files` reads.
bool IsNf4(const io::JsonValue& quantised) {
  return quantised.json().is_object() && quantised.Field("load_in_4bit").BooleanOr(false) &&
         quantised.Field("bnb_4bit_quant_type").StringOr("fp4") == "nf4";
}

// The model that config.json describes, without its weights.
std::unique_ptr<LanguageModel> MakeModel(const fs::path& directory) {
  const std::optional<ModelText> text = ReadModelText(directory, "config.json");
  if (!text) FailWithoutConfig(directory);
  const io::JsonValue config = text->value(), type = config.Field("model_type");
  if (const io::JsonValue quantised = config.Field("quantization_config"); !quantised.null() && !IsNf4(quantised)) {
    const std::string method = quantised.json().is_object() ? quantised.Field("quant_method").StringOr("unknown") : "";
    throw std::runtime_error(text->file + ": quantization_config (" + method +
                             ") is not supported: expected weights in F32, F16 or BF16, or in NF4 of bitsandbytes");
  }
  if (type.StringOr("") == "gpt2") return std::make_unique<Gpt>(GptConfig::FromJson(config), Vectors::kAbsent);
  if (type.StringOr("") == "llama") return std::make_unique<Llama>(LlamaConfig::FromJson(config), Vectors::kAbsent);
  type.Fail("\"gpt2\" or \"llama\"");
}

// Whether two tensors of one shape hold the same numbers.
bool HoldSame(const StoredTensor& a, const StoredTensor& b) {
  const bool alike = a.type() == b.type() && a.transposed() == b.transposed();
  if (alike) return std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
  const Tensor wide_a = a.Widened(), wide_b = b.Widened();
  return std::equal(wide_a.begin(), wide_a.end(), wide_b.begin());
}

// A tied model has no head of its own. Many files hold a copy of the embedding under that name, which is left out.
void RefuseOtherHead(const WeightFiles& weights, const std::string& head, const nn::Matrix& embedding) {
  if (HoldSame(weights.ReadStored(head), embedding.form->Merged())) return;
  throw std::runtime_error(weights.FileOf(head) + ": expected lm_head.weight to be equal to " + embedding.name +
                           ", as config.json has tie_word_embeddings = true, found other numbers");
}

[[noreturn]] void FailWithoutTokenizer(const fs::path& directory) {
  if (const auto gguf = GgufOf(directory)) {
    throw std::runtime_error(gguf->string() + ": holds no tokenizer; name a directory with one: --tokenizer DIR");
  }
  std::string hint;
  if (io::IsThere(directory / "tokenizer.model")) hint = "tokenizer.model";
  if (io::IsThere(directory / "vocab.json") && io::IsThere(directory / "merges.txt"))
    hint = "vocab.json and merges.txt";
  if (!hint.empty()) {
    hint = "; " + hint +
           " must be converted: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of Hugging Face's " +
           "transformers writes tokenizer.json";
  }
  throw std::runtime_error((directory / "tokenizer.json").string() + ": no such file" + hint);
}

// The type of a matrix in a file: the type in which it is held, but none wider than F32. Blocks are widened.
StoredType FileType(const StoredTensor& weight) {
  return weight.type() == StoredType::kF64 || HasBlocks(weight.type()) ? StoredType::kF32 : weight.type();
}

// Whether a type of a matrix holds all numbers of a vector.
bool Holds(StoredType type, const Tensor& vector) {
  if (type == StoredType::kF32) return true;
  return std::all_of(vector.begin(), vector.end(), [type](Real x) {
    const float value = static_cast<float>(x);
    return (type == StoredType::kBf16 ? Widen(ToBf16(value)) : Widen(ToHalf(value))) == static_cast<Real>(value);
  });
}

// torch_dtype of a model: the type in which a library may hold all of it without rounding what the file has. That is
// the common type of the matrices if it is wide enough for the vectors, too, and F32 otherwise.
const char* TorchType(const nn::Parts& parts, const std::set<StoredType>& types) {
  const StoredType type = types.size() == 1 ? *types.begin() : StoredType::kF32;
  const bool enough = std::ranges::all_of(parts.vectors, [&](const Param* v) { return Holds(type, v->value); });
  if (!enough) return "float32";
  return type == StoredType::kBf16 ? "bfloat16" : type == StoredType::kF16 ? "float16" : "float32";
}

// Writes one tensor at a time: a matrix without parameters in the type in which it is held, all else as F32. Returns
// the types of the matrices.
std::set<StoredType> WriteWeights(const fs::path& file, LanguageModel& model) {
  const std::string prefix = model.CheckpointPrefix();
  const auto stored_name = [&](const std::string& name) { return name.starts_with("lm_head.") ? name : prefix + name; };
  std::vector<io::TensorPlan> plans;
  std::map<std::string, std::function<StoredTensor()>> value_of;
  std::set<StoredType> types;
  const auto add = [&](const std::string& name, StoredType type, const Shape& shape,
                       std::function<StoredTensor()> value) {
    plans.push_back({stored_name(name), type, shape});
    value_of[stored_name(name)] = std::move(value);
  };
  const nn::Parts parts = model.Parts();
  for (const nn::Matrix* matrix : parts.matrices) {
    const StoredType type = matrix->HasParameters() ? StoredType::kF32 : FileType(matrix->form->Merged());
    types.insert(type);
    add(matrix->name, type, matrix->StoredShape(), [matrix] { return matrix->form->Merged(); });
  }
  for (const Param* vector : parts.vectors) {
    add(vector->name, StoredType::kF32, vector->value.shape(), [vector] { return StoredTensor(vector->value); });
  }
  io::SafetensorsWriter writer(file, plans, {{"format", "pt"}});
  for (const io::TensorPlan& plan : writer.order()) writer.Write(value_of.at(plan.name)());
  writer.Commit();
  return types;
}

}  // namespace

std::unique_ptr<LanguageModel> LoadModel(const fs::path& directory) {
  if (!fs::exists(io::StatusOf(directory)))
    throw std::runtime_error(directory.string() + ": no such model directory or GGUF file");
  std::unique_ptr<LanguageModel> model = MakeModel(directory);
  const std::unique_ptr<WeightFiles> files = OpenWeights(directory);
  const WeightFiles& weights = *files;
  for (const std::string& note : weights.notes()) io::Note(note);

  // All shapes are compared before the first number is read: config.json may ask for far more than the files hold.
  const nn::Parts parts = model->Parts();
  WeightNames names(weights, parts, model->CheckpointPrefix());
  std::vector<std::string> matrices, vectors;
  std::optional<std::string> head;
  for (const nn::Matrix* matrix : parts.matrices) {
    matrices.push_back(names.Take(matrix->name, matrix->StoredShape()));
    if (matrix->copies > 1 && names.Has(kHead)) head = names.Take(kHead, matrix->StoredShape());
  }
  for (const Param* vector : parts.vectors) vectors.push_back(names.Take(vector->name, vector->value.shape()));
  names.RefuseLeftovers();

  for (size_t i = 0; i < matrices.size(); ++i) {
    nn::Matrix& matrix = *parts.matrices[i];
    matrix.form = std::make_unique<nn::Frozen>(weights.ReadStored(matrices[i]), matrix.layout);
    if (matrix.copies > 1 && head) RefuseOtherHead(weights, *head, matrix);
  }
  for (size_t i = 0; i < vectors.size(); ++i) parts.vectors[i]->value = weights.ReadReal(vectors[i]);
  return model;
}

void RequireNoTokenizer(const fs::path& directory) {
  const bool other = io::IsThere(directory / "tokenizer.model") || io::IsThere(directory / "merges.txt");
  const bool is_model = GgufOf(directory) || io::IsThere(directory / "config.json");
  if (other || !is_model) FailWithoutTokenizer(directory);
}

Tokenizer LoadTokenizer(const fs::path& directory, const LanguageModel& model) {
  std::optional<ModelText> text = ReadModelText(directory, "tokenizer.json");
  if (!text) FailWithoutTokenizer(directory);
  for (const char* key : {"truncation", "padding"}) {
    if (!text->value().Has(key)) continue;
    io::Note(text->file + ": its " + key + " is not applied; sequences have the length that options say");
    text->json[key] = nullptr;
  }
  const Tokenizer tokenizer = Tokenizer::FromJson(text->json, text->file);
  const std::vector<std::string> beyond = tokenizer.TokensFrom(model.vocabulary());
  if (beyond.empty()) return tokenizer;
  io::Note(text->file + ": " + std::to_string(beyond.size()) + " of its tokens, such as " + beyond[0] +
           ", have no row in the model's embedding of " + std::to_string(model.vocabulary()));
  return tokenizer.WithRows(model.vocabulary());
}

std::vector<int> GenerationEnds(const fs::path& directory) {
  std::vector<int> ends;
  const std::optional<ModelText> text = ReadModelText(directory, "generation_config.json");
  if (!text) return ends;
  for (const Index id : text->value().Field("eos_token_id").Integers(0, INT32_MAX)) {
    ends.push_back(static_cast<int>(id));
  }
  return ends;
}

std::vector<int> StopTokens(const fs::path& directory, const LanguageModel& model, const Tokenizer& tokenizer) {
  std::vector<int> stops = model.EndTokens();
  if (const std::optional<int> end = ConfiguredToken(directory, "eos_token", tokenizer)) stops.push_back(*end);
  for (const int end : GenerationEnds(directory)) stops.push_back(end);
  return stops;
}

void SaveModel(const fs::path& directory, LanguageModel& model, const KeptFiles& kept) {
  io::RequireUnchangedFiles();
  nlohmann::json config = model.Config();
  kept.SetTokens(config);
  config["torch_dtype"] = TorchType(model.Parts(), WriteWeights(directory / "model.safetensors", model));
  kept.Write(directory, config);
  io::WriteFileAtomically(directory / "config.json", io::JsonText(config, 1) + "\n");
  io::RequireUnchangedFiles();  // weights that do not train were read once more
}

void SaveTexts(const fs::path& directory, LanguageModel& model, const Tokenizer& tokenizer, const KeptFiles& kept) {
  nlohmann::json config = model.Config();
  kept.SetTokens(config);
  kept.Write(directory, config);
  io::WriteFileAtomically(directory / "tokenizer.json", tokenizer.ToJson().dump(1) + "\n");
  io::WriteFileAtomically(directory / "config.json", config.dump(1) + "\n");
}

void SaveModel(const fs::path& directory, LanguageModel& model, const Tokenizer& tokenizer, const KeptFiles& kept) {
  io::WriteFileAtomically(directory / "tokenizer.json", tokenizer.ToJson().dump(1) + "\n");
  SaveModel(directory, model, kept);
}

}  // namespace ampgrad::models
