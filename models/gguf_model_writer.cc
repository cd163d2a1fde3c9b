#include "models/gguf_model_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "models/chat/chat_template.h"
#include "models/chat/configured_tokens.h"
#include "models/files/model_texts.h"
#include "models/gguf/gguf_model.h"
#include "models/gguf/gguf_path.h"
#include "models/gguf/gguf_tokenizer_values.h"
#include "models/gguf/gguf_values.h"
#include "models/model_directory.h"
#include "models/rope/rope_divisors.h"
#include "tensor/io/gguf/gguf_names.h"
#include "tensor/io/gguf/gguf_writer.h"
#include "tensor/io/note.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::models {
namespace {

using nlohmann::json;

constexpr std::pair<const char*, io::GgmlType> kTypes[] = {{"f32", io::GgmlType::kF32},
                                                           {"f16", io::GgmlType::kF16},
                                                           {"bf16", io::GgmlType::kBf16},
                                                           {"q8_0", io::GgmlType::kQ8_0},
                                                           {"q4_0", io::GgmlType::kQ4_0}};

// A matrix [out, in] in Real, its rows in the order of llama.cpp. `heads` is 0 where that is the order of the rows.
Tensor InOrder(const nn::Matrix& matrix, Index heads) {
  const StoredTensor stored = matrix.form->Merged();
  const Tensor w = (matrix.layout == ops::Layout::kInOut ? stored.Transposed() : stored).Widened();
  if (heads == 0) return w;
  Tensor ordered = Tensor::Uninitialized(w.shape());
  Index at = 0;
  for (const Index row : io::PairedRows(w.rows(), heads)) {
    std::memcpy(ordered.row(at++), w.row(row), static_cast<size_t>(w.cols()) * sizeof(Real));
  }
  return ordered;
}

// How many heads' rows llama.cpp pairs in a tensor of this name; 0 for none.
Index PairedHeads(const json& config, const std::string& name) {
  const auto of = io::PairedHeadsOf(config.at("model_type"), name);
  if (of == io::PairedHeads::kNone) return 0;
  return config.at(of == io::PairedHeads::kQueries ? "num_attention_heads" : "num_key_value_heads");
}

// rope_freqs.weight [D/2] of Llama-3's scaling: what divides each frequency. Empty for other scalings.
Tensor RotaryDivisors(const json& config) {
  const json scaling = config.value("rope_scaling", json());
  if (scaling.is_null() || scaling.value("rope_type", "") != "llama3") return {};
  return DivisorsOf(RopeConfig::FromJson(io::JsonValue(config, "config.json"), 0), config.at("head_dim"));
}

// A tensor to be written, and how its numbers are made when its turn comes.
struct Planned {
  io::GgufTensorPlan plan;
  std::function<Tensor()> make;
};

std::string NameOf(const json& config, const std::string& name) {
  return io::GgufName(config.at("model_type"), name).value();
}

std::vector<Planned> Plan(LanguageModel& model, const json& config, io::GgmlType type) {
  std::vector<Planned> planned;
  const nn::Parts parts = model.Parts();
  for (const nn::Matrix* matrix : parts.matrices) {
    const Index heads = PairedHeads(config, matrix->name);
    planned.push_back({{NameOf(config, matrix->name), TypeInGguf(*matrix, type), {matrix->out, matrix->in}},
                       [=] { return InOrder(*matrix, heads); }});
  }
  for (const Param* vector : parts.vectors) {
    const Index heads = PairedHeads(config, vector->name);
    planned.push_back({{NameOf(config, vector->name), io::GgmlType::kF32, vector->value.shape()}, [=] {
                         if (heads == 0) return vector->value;
                         Tensor ordered = Tensor::Uninitialized(vector->value.shape());
                         Index at = 0;
                         for (const Index i : io::PairedRows(ordered.size(), heads)) ordered[at++] = vector->value[i];
                         return ordered;
                       }});
  }
  const Tensor divisors = RotaryDivisors(config);
  if (!divisors.empty()) {
    planned.push_back({{"rope_freqs.weight", io::GgmlType::kF32, divisors.shape()}, [divisors] { return divisors; }});
  }
  return planned;
}

// ‖Ŵ − W‖/‖W‖ over matrices.
struct Change {
  double change = 0, norm = 0;

  void Add(const Tensor& w, Tensor stored) {
    for (Index i = 0; i < w.size(); ++i) stored[i] -= w[i];
    change += kernels::SumSquares(stored.data(), stored.size());
    norm += kernels::SumSquares(w.data(), w.size());
  }
  double Relative() const { return norm > 0 ? std::sqrt(change / norm) : 0; }
};

// llama.cpp's numbers of what most of a file consists of (llama_ftype).
uint32_t FileType(io::GgmlType type) {
  switch (type) {
    case io::GgmlType::kF32:
      return 0;
    case io::GgmlType::kF16:
      return 1;
    case io::GgmlType::kQ4_0:
      return 2;
    case io::GgmlType::kQ8_0:
      return 7;
    default:
      return 32;  // BF16
  }
}

io::GgufValues KeptValuesOf(const std::filesystem::path& model, const std::string& prefix) {
  const auto gguf = GgufOf(model);
  return gguf ? KeptValues(GgufModel(*gguf), prefix) : io::GgufValues();
}

// Appends those of `kept` whose keys `values` does not have.
void AddKept(const io::GgufValues& kept, io::GgufValues& values) {
  for (const auto& value : kept) {
    const bool is_new = std::ranges::none_of(values, [&](const auto& other) { return other.first == value.first; });
    if (is_new) values.push_back(value);
  }
}

// The ids that config.json and generation_config.json name as ends.
std::vector<int> EndsOf(const json& config, const std::filesystem::path& texts) {
  std::vector<int> ends = GenerationEnds(texts);
  for (const Index id : io::JsonValue(config, "config.json").Field("eos_token_id").Integers(0, INT32_MAX)) {
    ends.push_back(static_cast<int>(id));
  }
  return ends;
}

// The values of the tokenizer of `texts`, or of the special tokens alone if it has none.
io::GgufValues TokenizerValuesOf(LanguageModel& model, const std::filesystem::path& texts) {
  const json config = model.Config();
  const auto tokenizer = ReadModelText(texts, "tokenizer.json");
  if (!tokenizer) {
    RequireNoTokenizer(texts);
    io::Note(texts.string() + ": has no tokenizer, so the file has none, and llama.cpp will not load it");
    return SpecialTokenValues(config);
  }
  json own = TokenizerConfig(texts).json;
  if (const auto chat = OwnTemplateText(texts)) own["chat_template"] = *chat;
  const io::GgufValues kept = KeptValuesOf(texts, "tokenizer.");
  try {
    io::GgufValues values =
        TokenizerValues(tokenizer->json, own, config, model.vocabulary(), EndsOf(config, texts), kept);
    AddKept(kept, values);
    return values;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(tokenizer->file + ": " + error.what());
  }
}

// All values of the file: of the model, of its tokenizer, and what a GGUF file that it comes from says beside them.
io::GgufValues ValuesOf(LanguageModel& model, const ModelSource& source, io::GgmlType type) {
  const io::GgufValues kept = KeptValuesOf(source.base, "general.");
  std::string name = ModelName(source.base);
  for (const auto& [key, value] : kept) {
    if (key == "general.name" && std::holds_alternative<std::string>(value)) name = std::get<std::string>(value);
  }
  io::GgufValues values = ConfigValues(model.Config(), name);
  values.emplace_back("general.file_type", FileType(type));
  for (auto& value : TokenizerValuesOf(model, source.texts)) values.push_back(std::move(value));
  AddKept(kept, values);
  return values;
}

[[noreturn]] void FailToHold(const std::filesystem::path& file, const std::string& tensor, const std::string& what) {
  throw std::runtime_error(file.string() + ": cannot write tensor " + tensor + ": " + what);
}

// `w` in the type of its plan. What that type cannot hold is an error of the tensor.
StoredTensor RoundedFor(const io::GgufTensorPlan& plan, const Tensor& w, const std::filesystem::path& file) {
  try {
    return Rounded(w, io::StoredTypeOf(plan.type));
  } catch (const std::invalid_argument& error) {
    FailToHold(file, plan.name, error.what());
  }
}

// The same for types that have an infinity for it; `held` is what was rounded, widened.
void RequireFinite(const io::GgufTensorPlan& plan, const Tensor& w, const Tensor& held,
                   const std::filesystem::path& file) {
  for (Index i = 0; i < w.size(); ++i) {
    if (std::isfinite(held[i])) continue;
    FailToHold(file, plan.name,
               "expected numbers that " + std::string(ToString(io::StoredTypeOf(plan.type))) + " holds, found " +
                   std::to_string(w[i]));
  }
}

}  // namespace

std::vector<std::string> QuantisedTypes() {
  std::vector<std::string> names;
  for (const auto& [name, type] : kTypes) names.push_back(name);
  return names;
}

io::GgmlType ParseQuantisedType(const std::string& name) {
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
  }
  throw std::invalid_argument("[gguf] expected f32, f16, bf16, q8_0 or q4_0, found '" + name + "'");
}

io::GgmlType TypeForRows(Index numbers, io::GgmlType type) {
  return numbers % BlockOf(io::StoredTypeOf(type)).numbers == 0 ? type : io::GgmlType::kF16;
}

io::GgmlType TypeInGguf(const nn::Matrix& matrix, io::GgmlType type) {
  if (matrix.kind == nn::MatrixKind::kPosition) return io::GgmlType::kF32;
  if (type == io::GgmlType::kQ4_0 && matrix.kind == nn::MatrixKind::kVocabulary) type = io::GgmlType::kQ8_0;
  return TypeForRows(matrix.in, type);
}

double WriteGgufModel(const std::filesystem::path& file, LanguageModel& model, const ModelSource& source,
                      io::GgmlType type) {
  const std::vector<Planned> planned = Plan(model, model.Config(), type);
  std::vector<io::GgufTensorPlan> plans;
  for (const Planned& tensor : planned) plans.push_back(tensor.plan);
  io::GgufWriter writer(file, ValuesOf(model, source, type), plans);
  Change change;
  for (const Planned& tensor : planned) {
    const Tensor w = tensor.make();
    const StoredTensor stored = RoundedFor(tensor.plan, w, file);
    const Tensor held = stored.Widened();
    RequireFinite(tensor.plan, w, held, file);
    if (tensor.plan.shape.rank() == 2) change.Add(w, held);
    HasBlocks(stored.type()) ? writer.WriteBlocks(stored.data(), stored.bytes()) : writer.Write(w);
  }
  writer.Commit();
  return change.Relative();
}

}  // namespace ampgrad::models
