#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "ct/adapter/convert.h"
#include "ct/adapter/gguf_adapter_writer.h"
#include "ct/adapter/peft_writer.h"
#include "models/gguf_model_writer.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "train/commands/commands.h"
#include "train/commands/merged_model.h"
#include "train/commands/model_card.h"
#include "train/interrupt.h"

namespace ampgrad::train {
namespace {

void WritePeft(const std::filesystem::path& out, const GivenModel& given, const ct::LowRankAdapter& adapter) {
  const DeferSignals until_saved;
  io::StagedDirectory directory(out);
  directory.Fill([&](const std::filesystem::path& to) {
    ct::WritePeftAdapter(to, adapter,
                         {given.model->Parts(), given.model->CheckpointPrefix(),
                          std::filesystem::absolute(given.base).lexically_normal().string(), ModelCard(given)});
  });
}

void WriteGguf(const std::filesystem::path& out, const GivenModel& given, const ct::LowRankAdapter& adapter) {
  const nlohmann::json config = given.model->Config();
  const bool llama = config.at("model_type") == "llama";
  const Index heads = config.at(llama ? "num_attention_heads" : "n_head");
  const Index kv_heads = llama ? config.at("num_key_value_heads").get<Index>() : heads;
  ct::WriteGgufAdapter(out, adapter, {config.at("model_type"), heads, kv_heads});
}

// The model as it is now, nothing rounded.
int WriteWholeGguf(const std::filesystem::path& out, const GivenModel& given) {
  models::WriteGgufModel(out, *given.model, {given.base, given.Texts()}, io::GgmlType::kF32);
  std::printf("wrote %s\n", io::Printable(out.string()).c_str());
  return 0;
}

int ExportMain(const Options& options) {
  const std::string format = options.Choice("format", {"peft", "gguf", "hf"}), out = options.String("out");
  GivenModel given = ReadGivenModel(options, AdapterUse::kTrain);
  if (given.adapter.empty() && format != "gguf") {
    throw UsageError("expected an adapter: --adapter DIR, or as --model");
  }
  if (given.adapter.empty()) return WriteWholeGguf(out, given);
  if (format == "hf") {
    WriteMerged(out, given, StoredType::kF32);
    return 0;
  }
  ct::LowRankAdapter adapter;
  try {
    adapter = ct::ToLowRank(given.model->Parts());
  } catch (const ct::FullRankError& error) {
    std::printf("%s: written merged\n", error.what());
    if (format == "gguf") return WriteWholeGguf(out, given);
    WriteMerged(out, given, StoredType::kF32);
    return 0;
  }
  format == "peft" ? WritePeft(out, given, adapter) : WriteGguf(out, given, adapter);
  std::printf("wrote %s\n", io::Printable(out).c_str());
  return 0;
}

}  // namespace

Command ExportCommand() {
  std::vector<OptionSpec> options = ModelOptionSpecs();
  options.push_back(
      {"format", "NAME", nullptr,
       "peft (an adapter for Hugging Face), gguf (one for llama.cpp; without an adapter, the whole model), "
       "or hf (the merged model)"});
  options.push_back({"out", "PATH", nullptr, "directory to write, new or empty; for gguf a file"});
  return {"export", "Write an adapter, or a whole model, for other programs.", options, ExportMain};
}

}  // namespace ampgrad::train
