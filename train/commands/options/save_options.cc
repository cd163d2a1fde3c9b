#include "train/commands/options/save_options.h"

#include <stdexcept>

#include "ct/adapter/native_adapter.h"
#include "models/files/weight_files.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

std::string AbsolutePath(const fs::path& path) { return fs::absolute(path).lexically_normal().string(); }

}  // namespace

std::vector<OptionSpec> SaveOptionSpecs() {
  return {
      {"save", "WHAT", "",
       "adapter, merged (a model directory) or both; default: adapter, but merged for full and start reconstructed"},
      {"basis-file", "FILE", "",
       "train on the basis in this file, such as the adapter.safetensors of another variant, and leave it there"},
  };
}

Save ReadSave(const Options& options, const MethodSettings& method, const GivenModel& given) {
  const bool begins = given.adapter.empty();
  const bool small = !begins || !(method.method == "full" || method.StartIsLossy());
  if (!options.Has("save")) return {small, !small};
  const std::string save = options.Choice("save", {"adapter", "merged", "both"});
  if (begins && method.IsLevel() && save != "merged") {
    throw UsageError("--k 0 trains nothing; expected --save merged, found " + save);
  }
  return {save != "merged", save != "adapter"};
}

Bases ReadBasisFor(const fs::path& file, const models::LanguageModel& model, const MethodSettings& method) {
  ct::Basis basis = ct::ReadBasisFile(file);
  if (basis.width() != model.width()) {
    throw std::runtime_error(file.string() + ": expected a basis of the model's width, " +
                             std::to_string(model.width()) + ", found " + std::to_string(basis.width()));
  }
  const Index wanted = method.method == "amplitude" ? method.k : method.rank;
  if (wanted > basis.k()) {
    throw std::runtime_error(file.string() + ": expected at least " + std::to_string(wanted) + " vectors, found " +
                             std::to_string(basis.k()));
  }
  return {std::make_shared<const ct::Basis>(std::move(basis))};
}

void SaveAdapter(const fs::path& directory, const Options& options, const MethodSettings& method,
                 const GivenModel& given, const Bases& bases) {
  ct::AdapterHeader header{given.adapter.empty() ? method.method : given.method, AbsolutePath(given.base)};
  if (options.Has("basis-file") && bases.shared()) {
    header.basis_file = AbsolutePath(options.String("basis-file"));
    header.basis_hash = ct::HashOf(*bases.shared());
  }
  ct::WriteNativeAdapter(directory, given.model->Parts(), given.weights.value(), header);
}

std::string DescribeSize(const fs::path& directory, const GivenModel& given) {
  const auto adapter = static_cast<double>(fs::file_size(directory / ct::kAdapterFile));
  double base = 0;
  for (const fs::path& file : models::WeightPaths(given.base)) base += static_cast<double>(fs::file_size(file));
  return report::Format("adapter: %.0f bytes, 1/%.1f of the base's %.0f", adapter, base / adapter, base);
}

}  // namespace ampgrad::train
