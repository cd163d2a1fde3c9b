#include "train/commands/options/files.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/files/weight_files.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/digest.h"
#include "train/commands/options/model_options.h"
#include "train/freezing.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInputs[] = {
    "model", "adapter",   "basis-file", "data",    "valid",
    "text",  "reference", "forget",     "against", "tokenizer"};            // files, and directories of files
constexpr const char* kOutputs[] = {"log", "json", "csv", "html", "dump"};  // files
constexpr const char* kOutputDirectory = "out";                             // of some commands a file

// Whether both names lead to one file: the same device and inode.
bool SameFile(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return fs::equivalent(a, b, error) && !error;
}

// Whether both names would lead to one file, though it may not exist yet.
bool SameName(const fs::path& a, const fs::path& b) {
  const fs::path x = fs::absolute(a), y = fs::absolute(b);
  return SameFile(a, b) || (x.filename() == y.filename() && SameFile(x.parent_path(), y.parent_path()));
}

void RefuseInput(const std::string& option, const fs::path& output, const std::string& input_option,
                 const fs::path& input) {
  std::error_code error;
  bool same = SameFile(output, input);
  for (fs::directory_iterator it(input, error), end; !same && !error && it != end; it.increment(error)) {
    // Where a GGUF file is read, it is an input of its own: FilesOfModel.
    same = it->path().extension() != ".gguf" && SameFile(output, it->path());
  }
  if (same) {
    throw std::runtime_error("--" + option + " " + output.string() + ": is an input, of --" + input_option +
                             "; expected another file");
  }
}

// Whether `file` lies in `directory`, at any depth, by name: neither need exist.
bool LiesIn(const fs::path& file, const fs::path& directory) {
  std::error_code error;
  fs::path outer = fs::weakly_canonical(fs::absolute(directory), error);
  if (!outer.has_filename()) outer = outer.parent_path();
  for (fs::path at = fs::weakly_canonical(fs::absolute(file), error); at.has_relative_path(); at = at.parent_path()) {
    if (at == outer) return true;
  }
  return false;
}

bool Given(const Options& options, const char* name) { return options.Knows(name) && options.Has(name); }

// The files of a model beside the one that is named: the parts of a split one, or those of the base that an adapter
// records. What cannot be read is left to whoever reads it, and to its message.
std::vector<fs::path> FilesOfModel(const fs::path& model) {
  try {
    if (!IsAdapter(model)) return models::WeightPaths(model);
    const fs::path base = RecordedBase(model);
    std::vector<fs::path> files = models::WeightPaths(base);
    files.push_back(base);
    return files;
  } catch (const std::exception&) {
    return {};
  }
}

// What options name as inputs, each with the name of its option. Of data there may be several files.
std::vector<std::pair<std::string, fs::path>> Inputs(const Options& options) {
  std::vector<std::pair<std::string, fs::path>> inputs;
  for (const std::string name : kInputs) {
    if (!Given(options, name.c_str())) continue;
    const std::vector<std::string> one = {options.String(name)};
    for (const std::string& path : name == "data" ? options.Strings(name) : one) inputs.emplace_back(name, path);
  }
  if (Given(options, "freeze") && !IsFreezeOrder(options.String("freeze"))) {
    inputs.emplace_back("freeze", options.String("freeze"));
  }
  if (!Given(options, "study")) return inputs;
  // A study's directory is a good place for its report, so only what the report reads is an input.
  for (const std::string& directory : options.Strings("study")) {
    for (const char* file : {"runs.jsonl", "study.json", "analysis.json"}) {
      inputs.emplace_back("study", fs::path(directory) / file);
    }
  }
  return inputs;
}

// Inputs, and the files of models that they lead to.
std::vector<std::pair<std::string, fs::path>> AllInputs(const Options& options) {
  std::vector<std::pair<std::string, fs::path>> inputs = Inputs(options);
  for (const char* name : {"model", "tokenizer"}) {
    if (!Given(options, name)) continue;
    for (const fs::path& file : FilesOfModel(options.String(name))) inputs.emplace_back(name, file);
  }
  return inputs;
}

}  // namespace

void CheckFiles(const Options& options) {
  std::optional<std::vector<std::pair<std::string, fs::path>>> inputs;  // found when there is an output
  const auto refuse_inputs = [&](const char* option, const fs::path& output) {
    if (!inputs) inputs = AllInputs(options);
    for (const auto& [name, path] : *inputs) RefuseInput(option, output, name, path);
  };
  // A directory to write must be new or empty, so it holds no input.
  std::error_code error;
  if (Given(options, kOutputDirectory) && fs::is_regular_file(options.String(kOutputDirectory), error)) {
    refuse_inputs(kOutputDirectory, options.String(kOutputDirectory));
  }
  std::vector<const char*> outputs;
  for (const char* output : kOutputs) {
    if (!Given(options, output)) continue;
    const fs::path file = options.String(output);
    refuse_inputs(output, file);
    for (const char* other : outputs) {
      if (!SameName(file, options.String(other))) continue;
      throw std::runtime_error("--" + std::string(output) + " and --" + other +
                               " name the same file: " + file.string());
    }
    if (Given(options, kOutputDirectory) && LiesIn(file, options.String(kOutputDirectory))) {
      throw std::runtime_error("--" + std::string(output) + " " + file.string() +
                               ": lies in the directory of --out, which must be empty until the run ends");
    }
    io::RequireFileTarget(file);
    outputs.push_back(output);
  }
}

std::vector<std::pair<std::string, std::string>> DigestInputs(const Options& options, const fs::path& base) {
  std::set<fs::path> files;
  const auto add = [&files](const fs::path& path) {
    if (!fs::is_directory(path)) {
      files.insert(path);
      return;
    }
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string extension = entry.path().extension().string();
      const bool counts = extension == ".json" || extension == ".safetensors" || extension == ".jinja";
      if (counts && entry.is_regular_file()) files.insert(entry.path());
    }
  };
  for (const auto& [option, path] : Inputs(options)) add(path);
  if (!base.empty()) {
    add(base);
    for (const fs::path& file : models::WeightPaths(base)) files.insert(file);
  }
  std::vector<std::pair<std::string, std::string>> digests;
  for (const fs::path& file : files) digests.emplace_back(file.string(), io::DigestOfFile(file));
  return digests;
}

}  // namespace ampgrad::train
