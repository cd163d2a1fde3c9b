#include "train/commands/options/model_options.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "ct/adapter/convert.h"
#include "ct/adapter/native_adapter.h"
#include "ct/adapter/peft_names.h"
#include "ct/adapter/peft_reader.h"
#include "models/model_directory.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/printable.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

}  // namespace

bool IsAdapter(const fs::path& directory) {
  if (!fs::is_directory(io::StatusOf(directory)) || io::IsThere(directory / "model.safetensors")) return false;
  return ct::IsNativeAdapter(directory) ||
         (io::IsThere(directory / ct::kPeftConfig) && !io::IsThere(directory / "config.json"));
}

fs::path RecordedBase(const fs::path& adapter) {
  std::string base;
  if (ct::IsNativeAdapter(adapter)) {
    base = ct::NativeAdapter(adapter).header().base;
  } else {
    const fs::path file = io::OwnFile(adapter, ct::kPeftConfig);
    const nlohmann::json json = io::ReadJsonObject(file);
    base = io::JsonValue(json, file.string()).Field("base_model_name_or_path").StringOr("");
  }
  if (!base.empty() && fs::exists(io::StatusOf(base))) return base;
  throw std::runtime_error(adapter.string() + ": an adapter over " + (base.empty() ? "an unnamed model" : base) +
                           ", which is not here; expected --model BASE --adapter " + adapter.string());
}

namespace {

void Apply(GivenModel& given, AdapterUse use) {
  const nn::Parts parts = given.model->Parts();
  // Trained further, an adapter goes by the chain that is faster.
  const nn::Chain chain = use == AdapterUse::kTrainExplicit ? nn::Chain::kExplicit : nn::Chain::kFactored;
  if (ct::IsNativeAdapter(given.adapter)) {
    const ct::NativeAdapter adapter(given.adapter);
    adapter.ApplyTo(parts, chain);
    given.method = adapter.header().method;
  } else if (io::IsThere(given.adapter / ct::kPeftConfig)) {
    ct::ApplyLowRank(ct::ReadPeftAdapter(given.adapter, parts, given.model->CheckpointPrefix()), parts, chain);
    given.method = "lora";
  } else {
    throw std::runtime_error(given.adapter.string() + ": expected a directory with " + ct::kAdapterFile + " or " +
                             ct::kPeftConfig + ", found neither");
  }
  if (use == AdapterUse::kApply) ct::FreezeForms(parts);
}

}  // namespace

fs::path GivenModel::Texts() const {
  if (!tokenizer.empty()) return tokenizer;
  return !adapter.empty() && ct::IsNativeAdapter(adapter) && io::IsThere(adapter / "tokenizer.json") ? adapter : base;
}

std::unique_ptr<models::LanguageModel> ReadModel(const fs::path& model) {
  return During("reading the model", [&] { return models::LoadModel(model); });
}

std::vector<OptionSpec> ModelOptionSpecs() {
  return {{"model", "PATH", nullptr, "model directory, GGUF file, or an adapter, whose base is then read as well"},
          {"adapter", "DIR", "", "adapter over the model, of ours or as PEFT saves it"},
          {"tokenizer", "DIR", "", "directory whose tokenizer.json and chat template hold in place of the model's"}};
}

GivenModel ReadGivenModel(const Options& options, AdapterUse use) {
  GivenModel given = ReadGivenModel(options.String("model"), options.String("adapter"), use);
  given.tokenizer = options.String("tokenizer");
  return given;
}

GivenModel ReadGivenModel(const fs::path& model, const fs::path& adapter, AdapterUse use) {
  GivenModel given;
  given.base = model;
  given.adapter = adapter;
  if (IsAdapter(given.base)) {
    if (!given.adapter.empty()) {
      throw UsageError("--model " + given.base.string() + " is an adapter, too; expected its base");
    }
    given.adapter = given.base;
    given.base = RecordedBase(given.adapter);
  }
  given.model = ReadModel(given.base);
  given.weights.emplace(given.model->Parts());
  if (!given.adapter.empty()) During("reading the adapter", [&] { return Apply(given, use), 0; });
  return given;
}

}  // namespace ampgrad::train
