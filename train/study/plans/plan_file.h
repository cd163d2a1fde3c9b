#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tensor/io/json.h"
#include "train/study/plans/plan.h"

/// Arms as JSON: in a line of runs.jsonl, and in a file of a user's own plan.
namespace ampgrad::train {

nlohmann::ordered_json ToJson(const Arm& arm);

/// An arm of which `otherwise` says what `json` leaves out. Layers are "all", "none", "A-B" or "A". Throws
/// std::runtime_error with the place for a key that an arm does not have, and for a value of another type or range.
Arm ReadArm(const io::JsonValue& json, const Arm& otherwise);

/// The arms of a plan in a file: a JSON list of objects with the keys of ReadArm, of which only "method" or "kind" must
/// be there. Scope, chain and rows are by default those of the study, all else as in MethodSettings; layers may be
/// "last:N" too. An arm without a name has that of its method's label, one without groups the file's name. Throws
/// std::runtime_error with the place for what the model cannot do: a K beyond its width, layers or matrices that it
/// lacks; for a name that stands twice; and for an empty list.
std::vector<Arm> ReadPlan(const std::filesystem::path& file, models::LanguageModel& model,
                          const PlanSettings& settings);

}  // namespace ampgrad::train
