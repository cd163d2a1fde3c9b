#include "train/commands/options/study_options.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "train/commands/options/files.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/training_options.h"
#include "train/demo/world_model.h"
#include "train/study/plans/plan_file.h"
#include "train/study/plans/protocol.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

// Options that choose what is run. Each line says what came of them.
const std::set<std::string> kChoosing = {"plan",    "protocol", "seeds", "part", "by-turns",
                                         "dry-run", "out",      "k",     "json"};

// "2/3": the second of three parts.
void ReadPart(const Options& options, StudyOptions& study) {
  const std::string text = options.String("part");
  const size_t slash = text.find('/');
  const auto number = [&](const std::string& word) -> Index {
    const bool digits = !word.empty() && word.size() < 7 && word.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::stoll(word) : 0;
  };
  study.part = number(text.substr(0, slash)) - 1;
  study.parts = slash == std::string::npos ? 0 : number(text.substr(slash + 1));
  if (study.part < 0 || study.part >= study.parts) {
    throw UsageError("--part: expected I/N with I from 1 to N, found '" + text + "'");
  }
}

std::vector<Arm> ArmsAsked(const Options& options, models::LanguageModel& model) {
  const PlanSettings settings = {ReadScope(options, model), ReadChain(options), ReadRowsPolicy(options),
                                 options.Integer("steps", 1, kMany)};
  if (options.Has("protocol")) return ArmsOf(ProtocolOf(options.String("protocol")), model, settings);
  const std::string plan = options.String("plan");
  if (plan.ends_with(".json")) return ReadPlan(plan, model, settings);
  return ArmsOf(options.Choice("plan", PlanNames()), model, settings);
}

Options WithQuick(const Options& given) {
  Options with = given;
  if (StudiesBuiltInWorld(given)) {
    const fs::path out = given.String("out");
    with = with.WithDefault("model", out / kWorldModel).WithDefault("data", out / kWorldQuestions);
  }
  if (!given.Has("protocol")) with = with.WithDefault("plan", "all");
  return with.WithDefault("seeds", "1").WithDefault("steps", "20").WithDefault("eval-tokens", "4096");
}

// An arm without what differs from plan to plan: the questions that it helps to answer, and whether it is looked at
// more closely.
nlohmann::ordered_json SettingsOf(const Arm& arm) {
  nlohmann::ordered_json json = ToJson(arm);
  json.erase("groups");
  json.erase("summary");
  return json;
}

// What a line of runs.jsonl depends on and does not say itself.
std::string Recipe(const Options& options, Index width) {
  nlohmann::ordered_json recipe = {{"width", width}};
  const auto settings = nlohmann::ordered_json::parse(options.Settings());
  for (const auto& [name, value] : settings.items()) {
    if (!kChoosing.contains(name)) recipe["settings"][name] = value;
  }
  for (const auto& [file, digest] : DigestInputs(options)) recipe["inputs"][file] = digest;
  return io::JsonText(recipe, 1) + "\n";
}

void RequireSameRecipe(const fs::path& directory, const std::string& recipe) {
  const fs::path file = directory / "study.json";
  if (!io::IsThere(file)) {
    fs::create_directories(directory);
    io::WriteFileAtomically(file, recipe);
    return;
  }
  const auto known = io::ReadJsonObject(file), asked = nlohmann::json::parse(recipe);
  for (const char* part : {"settings", "inputs"}) {
    for (const auto& [name, value] : asked.at(part).items()) {
      const auto found = known.at(part).find(name);
      if (found != known.at(part).end() && *found == value) continue;
      throw std::runtime_error(file.string() + ": expected the study's own " + name + ", " +
                               (found == known.at(part).end() ? "none" : io::JsonText(*found)) + ", found " +
                               io::JsonText(value));
    }
  }
}

void RequireSameArms(const fs::path& directory, const StudyFile& file, const std::vector<Arm>& arms) {
  for (size_t i = 0; i < file.runs().size(); ++i) {
    const Arm& run = file.runs()[i].arm;
    const auto arm = std::ranges::find(arms, run.name, &Arm::name);
    if (arm == arms.end()) continue;
    const nlohmann::ordered_json asked = SettingsOf(*arm), known = SettingsOf(run);
    for (const auto& [key, value] : asked.items()) {
      if (known.at(key) == value) continue;
      throw std::runtime_error((directory / "runs.jsonl").string() + ":" + std::to_string(file.run_lines()[i]) +
                               ": expected the arm '" + run.name + "' of the plan, whose " + key + " is " +
                               io::JsonText(value) + ", found " + io::JsonText(known.at(key)));
    }
  }
}

}  // namespace

std::vector<OptionSpec> PlanOptionSpecs() {
  return {
      {"plan", "NAME", "frontier",
       "frontier, bases, peers, scope, starts, length, rates, freezing or all; or FILE.json, a list of arms"},
      {"protocol", "NAME", "",
       "s62, s72, s76 or s78: the arms, layers, steps and rows of that paper, in place of a plan"},
      {"fixed-rates", nullptr, "",
       "as the papers: 1e-5 for full and 5e-4 for amplitude, for others their default, without a search; 5 steps and "
       "one seed unless said otherwise"},
      {"quick", nullptr, "",
       "a first look: the plan all, one seed, 20 steps, each method at its default rate, and the page report.html; "
       "without --model and --data of a built-in world, whose model is written to OUT/model"},
      {"seeds", "N", "5", "runs of each arm"},
      {"part", "I/N", "1/1", "run every N-th arm, from the I-th on: for several processes at once"}};
}

Options WithPresets(const Options& options) {
  Options with = options;
  if (options.Has("protocol")) {
    if (options.Given("plan")) throw UsageError("--protocol and --plan: expected one of them");
    const Protocol& protocol = ProtocolOf(options.Choice("protocol", ProtocolNames()));
    for (const char* name : {"layers", "targets", "train"}) {
      if (!options.Given(name)) continue;
      throw UsageError("--protocol " + protocol.name + " has a scope of its own: expected no --" + name + " beside it");
    }
    if (protocol.steps > 0) with = with.WithDefault("steps", std::to_string(protocol.steps));
    with = with.WithDefault("rows", protocol.rows).WithDefault("sample", std::to_string(protocol.sample));
  }
  if (options.Has("fixed-rates")) with = with.WithDefault("steps", "5").WithDefault("seeds", "1");
  if (options.Has("quick")) with = WithQuick(with);
  for (const char* name : {"model", "data"}) {
    if (!with.Has(name)) throw UsageError(std::string("--") + name + " is missing");
  }
  return with;
}

bool StudiesBuiltInWorld(const Options& given) {
  return given.Has("quick") && !given.Has("model") && !given.Has("data");
}

StudyOptions ReadStudyOptions(const Options& options, const Ranks& ranks) {
  StudyOptions study;
  study.train = ReadTrainOptions(options);
  study.seeds = options.Integer("seeds", 1, 1000);
  study.sample = ReadRowSample(options);
  ReadPart(options, study);
  study.part += ranks.rank() * study.parts;
  study.parts *= ranks.size();
  return study;
}

std::vector<Arm> ReadArms(const Options& options, models::LanguageModel& model) {
  std::vector<Arm> arms = ArmsAsked(options, model);
  if (options.Has("fixed-rates")) TakeRates(arms, PaperRate);
  if (options.Has("quick")) TakeRates(arms, DefaultRate);
  return arms;
}

StudyFile OpenStudy(const Options& options, const models::LanguageModel& model, const std::vector<Arm>& arms) {
  if (!options.Has("out")) return {};
  const fs::path directory = options.String("out");
  const bool dry = options.Knows("dry-run") && options.Has("dry-run");
  if (!dry) RequireSameRecipe(directory, Recipe(options, model.width()));
  StudyFile file(directory);
  RequireSameArms(directory, file, arms);
  return file;
}

}  // namespace ampgrad::train
