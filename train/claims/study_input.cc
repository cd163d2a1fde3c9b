#include "train/claims/study_input.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "models/model_directory.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/text_file.h"
#include "train/counts/model_shape.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

constexpr Index kWidest = Index{1} << 24;

// The width of the model that the settings name, if its config.json is still there.
Index WidthOfModel(const nlohmann::json& settings) {
  const auto found = settings.find("settings");
  if (found == settings.end() || !found->is_object() || !found->contains("model")) return 0;
  const nlohmann::json& model = found->at("model");
  if (!model.is_string() || !fs::exists(fs::path(model.get<std::string>()) / "config.json")) return 0;
  return ReadShape(model.get<std::string>()).model->width();
}

Index FindWidth(const StudyInput& study, const nlohmann::json& settings, const std::string& where) {
  if (!study.analysis.is_null()) {
    return io::JsonValue(study.analysis, where + "/analysis.json").Field("width").IntegerOr(0, 1, kWidest);
  }
  if (!settings.is_object()) return 0;
  const Index told = io::JsonValue(settings, where + "/study.json").Field("width").IntegerOr(0, 1, kWidest);
  return told > 0 ? told : WidthOfModel(settings);
}

}  // namespace

std::string SourceOf(const WrittenFile& file) { return "file of " + file.arm; }

Index StudyInput::LineOf(const StudyRun& run) const { return lines.at(static_cast<size_t>(&run - runs.runs().data())); }

std::vector<Index> StudyInput::LinesOf(const std::string& arm) const {
  if (arm == kCaptureSource) return capture_lines;
  if (arm == kCutSource) return cuts_line > 0 ? std::vector<Index>{cuts_line} : std::vector<Index>{};
  std::vector<Index> of_arm;
  for (size_t i = 0; i < files.size(); ++i) {
    if (SourceOf(files[i]) == arm) of_arm.push_back(file_lines.at(i));
  }
  for (const StudyRun& run : runs.runs()) {
    if (run.arm.name == arm) of_arm.push_back(LineOf(run));
  }
  return of_arm;
}

SeedValues StudyInput::Capture(Index k) const {
  SeedValues values;
  for (const auto& [seed, by_k] : captures) {
    const auto found = by_k.find(k);
    if (found != by_k.end() && std::isfinite(found->second)) values.values[seed] = found->second;
  }
  for (const uint64_t seed : runs.seeds()) {
    if (!values.values.contains(seed)) values.missing.insert(seed);
  }
  return values;
}

StudyInput ReadStudy(const fs::path& directory, Index width) {
  const fs::path file = directory / "runs.jsonl";
  if (!io::IsThere(file))
    throw std::runtime_error(file.string() + ": expected the runs of a study, found no such file");
  StudyInput study;
  study.name = directory.string();
  const StudyFile runs(directory);
  study.runs = StudyRuns(runs.runs());
  study.lines = runs.run_lines();
  study.captures = runs.captures();
  study.capture_lines = runs.capture_lines();
  study.cuts = runs.cuts();
  study.cuts_line = runs.cuts_line();
  study.files = runs.files();
  study.file_lines = runs.file_lines();
  nlohmann::json settings;
  if (io::IsThere(directory / "study.json")) {
    study.settings = io::ReadTextFile(directory / "study.json");
    settings = io::ReadJsonObject(directory / "study.json");
  }
  if (io::IsThere(directory / "analysis.json")) study.analysis = io::ReadJsonObject(directory / "analysis.json");
  study.width = width > 0 ? width : FindWidth(study, settings, study.name);
  return study;
}

}  // namespace ampgrad::train
