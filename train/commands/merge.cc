#include "train/commands/commands.h"
#include "train/commands/merged_model.h"

namespace ampgrad::train {
namespace {

int MergeMain(const Options& options) {
  const bool half = options.Choice("type", {"f32", "bf16"}) == "bf16";
  GivenModel given = ReadGivenModel(options, AdapterUse::kTrain);
  if (given.adapter.empty()) throw UsageError("expected an adapter: --adapter DIR, or as --model");
  WriteMerged(options.String("out"), given, half ? StoredType::kBf16 : StoredType::kF32);
  return 0;
}

}  // namespace

Command MergeCommand() {
  std::vector<OptionSpec> options = ModelOptionSpecs();
  options.push_back({"out", "DIR", nullptr, "directory to write: new, or empty"});
  options.push_back({"type", "NAME", "f32", "f32, or bf16 for all matrices"});
  return {"merge", "Merge an adapter into its base and write a Hugging Face directory.", options, MergeMain};
}

}  // namespace ampgrad::train
