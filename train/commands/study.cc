#include "train/study/study.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/own_file.h"
#include "tensor/io/text_file.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/files.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/commands/options/training_options.h"
#include "train/data/chat_data.h"
#include "train/data/text_data.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

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

// What a line of runs.jsonl depends on and does not say itself. A study goes on only with the same.
std::string Recipe(const Options& options, Index width) {
  nlohmann::ordered_json recipe = {{"width", width}};
  const auto settings = nlohmann::ordered_json::parse(options.Settings());
  for (const auto& [name, value] : settings.items()) {
    const bool chooses = name == "plan" || name == "seeds" || name == "part" || name == "dry-run" || name == "out";
    if (!chooses) recipe["settings"][name] = value;
  }
  for (const auto& [file, digest] : DigestInputs(options)) recipe["inputs"][file] = digest;
  return recipe.dump(1) + "\n";
}

void RequireSameRecipe(const fs::path& directory, const std::string& recipe) {
  const fs::path file = directory / "study.json";
  if (!io::IsThere(file)) {
    fs::create_directories(directory);
    io::WriteFileAtomically(file, recipe);
    return;
  }
  const auto known = nlohmann::json::parse(io::ReadTextFile(file)), asked = nlohmann::json::parse(recipe);
  for (const char* part : {"settings", "inputs"}) {
    for (const auto& [name, value] : asked.at(part).items()) {
      const auto found = known.at(part).find(name);
      if (found != known.at(part).end() && *found == value) continue;
      throw std::runtime_error(file.string() + ": expected the study's own " + name + ", " +
                               (found == known.at(part).end() ? "none" : found->dump()) + ", found " + value.dump());
    }
  }
}

// Prints the arms, what of each is to do, and the steps that this takes with a search of five rates.
double ShowArms(const StudyOptions& study, const StudyFile& file) {
  double steps = 0;
  size_t done = 0, left = 0;
  const auto arms = Missing(study, file);
  for (const auto& [arm, seeds] : arms) {
    const Index all = arm->IsLevel() ? 1 : study.seeds;
    const Index own = arm->IsLevel() ? 0 : arm->steps > 0 ? arm->steps : study.train.steps;
    const bool searches = !arm->IsLevel() && arm->fixed_lr == 0 && !seeds.empty();
    const double tried = static_cast<double>(file.TriedCount(arm->name));
    steps += static_cast<double>(own) * (static_cast<double>(seeds.size()) + (searches ? std::max(0.0, 5 - tried) : 0));
    left += seeds.size();
    done += static_cast<size_t>(all) - seeds.size();
    std::string groups;
    for (const std::string& group : arm->groups) groups += (groups.empty() ? "" : ", ") + group;
    std::printf("%-34s %4lld steps, %2zu of %lld runs to do  (%s)\n", arm->name.c_str(), static_cast<long long>(own),
                seeds.size(), static_cast<long long>(all), groups.c_str());
  }
  std::printf("\n%zu arms in this part; %zu runs done, %zu to do\n", arms.size(), done, left);
  return steps;
}

// Prints the memory and the time of `steps` steps as those of full fine-tuning, the first arm, take. Throws where the
// memory is too little.
void ShowCost(models::LanguageModel& model, const ChatData& samples, const StudyOptions& study, Index batch,
              double steps) {
  const MethodSettings& full = study.arms.front().method;
  RequireMemoryToPrepare(model, full, AvailableMemory(), study.train.optimizer);
  const std::unique_ptr<models::LanguageModel> prepared = model.Clone();
  prepared->checkpoint_blocks = model.checkpoint_blocks;
  Prepare(*prepared, full);
  const MemoryPlan memory = PlanMemory(*prepared, nullptr, study.train);
  std::printf("memory: %s\n", ToString(memory, memory.Shard(batch) * samples.longest).c_str());
  RequireMemory(memory, batch, samples.longest, AvailableMemory());
  const double seconds = StepSeconds(*prepared, samples.data);
  std::printf("about %.1f h, as a step of full fine-tuning takes %.3f s\n", steps * seconds / 3600, seconds);
}

int Run(const Options& options) {
  StudyOptions study;
  const Index batch = options.Integer("batch", 1, 1 << 20);
  study.train = ReadTrainOptions(options);
  study.seeds = options.Integer("seeds", 1, 1000);
  study.sample = ReadRowSample(options);
  ReadPart(options, study);
  const fs::path directory = options.String("model"), out = options.String("out");
  const std::unique_ptr<models::LanguageModel> model = ReadModel(directory);
  study.arms = ArmsOf(options.Choice("plan", PlanNames()), *model,
                      {ReadScope(options, *model), ReadChain(options), ReadRowsPolicy(options), study.train.steps});
  model->checkpoint_blocks = options.Has("checkpoint");
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  ChatData samples = During("reading the data", [&] {
    return ReadChatData(ReadChatSource(options, directory, *model, study.sample.seed), tokenizer);
  });
  LimitEvaluation(options, samples.data);
  CutEvaluation(samples.data, study.train.shards);
  if (options.Has("forget")) {
    const std::string file = options.String("forget");
    study.forget = TextWindows(io::ReadTextFile(file), tokenizer, ReadLength(options, *model), batch, 16, file);
  }
  const bool dry = options.Has("dry-run");
  if (!dry) RequireSameRecipe(out, Recipe(options, model->width()));
  StudyFile file(out);
  std::printf("%s\n", Describe(samples).c_str());
  const double steps = ShowArms(study, file);
  if (steps > 0) ShowCost(*model, samples, study, batch, steps);
  if (dry) return 0;
  std::fflush(stdout);
  study.spill = out;
  RunStudy(*model, samples.data, study, file,
           [&](const std::string& what) { std::fprintf(stderr, "%s\n", what.c_str()); });
  std::printf("%zu runs are in %s\n", file.runs().size(), (out / "runs.jsonl").c_str());
  return 0;
}

}  // namespace

Command StudyCommand() {
  std::vector<OptionSpec> training = TrainingOptionSpecs("50", "8", "0");
  std::erase_if(training, [](const OptionSpec& spec) { return std::string(spec.name) == "log"; });  // runs.jsonl is it
  return {"study", "Run every arm of a plan with several seeds, for a report; it goes on where it was stopped.",
          Join({{{"model", "DIR", nullptr, "model directory"},
                 {"data", "FILE", nullptr, kDataHelp},
                 TemplateOptionSpec(),
                 {"out", "DIR", nullptr, "directory of the study: its runs are added to runs.jsonl"},
                 {"plan", "NAME", "frontier", "frontier, bases, peers, scope, starts, length, rates or all"},
                 {"seeds", "N", "5", "runs of each arm"},
                 {"part", "I/N", "1/1", "run every N-th arm, from the I-th on: for several processes at once"},
                 {"forget", "FILE", "", "another text, whose loss is taken before and after each run"},
                 {"dry-run", nullptr, "", "print the arms, what is done and how long the rest takes, and run nothing"}},
                BasisOptionSpecs(),
                ScopeOptionSpecs(),
                training}),
          Run};
}

}  // namespace ampgrad::train
