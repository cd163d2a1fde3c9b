#include "train/study/study.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>

#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/text_file.h"
#include "train/claims/report/report_page.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/commands/options/study_options.h"
#include "train/commands/options/training_options.h"
#include "train/data/chat_data.h"
#include "train/data/text_data.h"
#include "train/demo/world_model.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"
#include "train/report/format.h"
#include "train/run_log.h"
#include "train/study/measures/problems.h"
#include "train/study/plans/protocol.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

// Prints the arms, what of each is to do, and the steps that this takes with a search of five rates.
double ShowArms(const StudyOptions& study, const StudyFile& file) {
  double steps = 0;
  size_t done = 0, left = 0;
  const auto arms = Missing(study, file);
  std::set<std::string> searched;
  for (const auto& [arm, seeds] : arms) {
    const Index all = arm->IsLevel() ? 1 : study.seeds;
    const Index own = arm->IsLevel() ? 0 : arm->steps > 0 ? arm->steps : study.train.steps;
    steps += static_cast<double>(own) * static_cast<double>(seeds.size());
    // One that takes the ‖ΔW‖ of another has a search of its own beside that one's.
    const std::string& searched_as = arm->norm_of.empty() ? arm->RateFrom() : arm->name;
    const bool searches = own > 0 && arm->fixed_lr == 0 && arm->rates.size() != 1 && !seeds.empty();
    if (searches && searched.insert(searched_as).second) {
      steps += static_cast<double>(own) * std::max(0.0, 5 - static_cast<double>(file.TriedCount(searched_as)));
    }
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

// Prints the memory and the time of `steps` steps as those of full fine-tuning in the first arm's scope take. Throws
// where the memory is too little.
void ShowCost(models::LanguageModel& model, const ChatData& samples, const StudyOptions& study, Index batch,
              double steps) {
  const MethodSettings full = {.method = "full", .scope = study.arms.front().method.scope};
  RequireMemoryToPrepare(model, full, AvailableMemory() / ProgramRanks().here(), study.train.optimizer);
  const std::unique_ptr<models::LanguageModel> prepared = model.Clone();
  Prepare(*prepared, full);
  const MemoryPlan memory = PlanMemory(*prepared, nullptr, study.train);
  std::printf("memory: %s\n", ToString(memory, memory.Shard(batch) * samples.longest).c_str());
  RequireMemory(memory, batch, samples.longest, AvailableMemory() / ProgramRanks().here());
  const double seconds = StepSeconds(*prepared, samples.data);
  std::printf("about %.1f h, as a step of full fine-tuning takes %.3f s\n", steps * seconds / 3600, seconds);
}

void ShowOpenChoices(const std::string& protocol) {
  std::printf("what %s leaves open, and what is chosen here:\n", protocol.c_str());
  for (const std::string& line : OpenChoices(ProtocolOf(protocol))) std::printf("  %s\n", line.c_str());
  std::printf("\n");
}

void WriteReport(const fs::path& study, Index width) {
  const std::vector<StudyInput> studies = {ReadStudy(study, width)};
  const fs::path page = study / "report.html";
  io::WriteFileAtomically(page, ReportPage(studies, JudgeClaims(studies), "ampgrad report --study " + study.string()));
  std::printf("the page of these runs is %s; a first look, no evidence: one seed, and rates that were not searched\n",
              page.c_str());
}

// Prints what begins, how many runs are done, and how long the others take if they are like those.
OnRun ShowProgress(const StudyOptions& study, const StudyFile& file) {
  size_t all = 0;
  for (const auto& [arm, seeds] : Missing(study, file)) all += seeds.size();
  return [&file, all, before = file.runs().size(), begin = std::chrono::steady_clock::now()](const std::string& what) {
    const size_t done = file.runs().size() - before;
    const double hours = SecondsSince(begin) / 3600;
    const double left = hours * static_cast<double>(all - done) / static_cast<double>(std::max<size_t>(1, done));
    std::fprintf(stderr, "%zu of %zu runs%s: %s\n", done, all,
                 done > 0 ? report::Format(", about %.1f h left", left).c_str() : "", what.c_str());
  };
}

int StudyMain(const Options& given) {
  const Options options = WithPresets(given);
  Ranks& ranks = ProgramRanks();
  RequireSameOptions(options);
  if (StudiesBuiltInWorld(given) && ranks.IsFirst()) {
    WriteWorld(options.String("out"), static_cast<uint64_t>(options.Integer("seed", 0, kMany)));
  }
  ranks.Gather("");  // the world is there
  const Index batch = options.Integer("batch", 1, 1 << 20);
  const fs::path directory = options.String("model"), out = options.String("out");
  StudyOptions study = ReadStudyOptions(options, ranks);
  const std::unique_ptr<models::LanguageModel> model = ReadModel(directory);
  study.arms = ReadArms(options, *model);
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
  if (const Index problems = options.Integer("problems", 0, kMany); problems > 0) {
    if (options.Strings("data").size() > 1) throw UsageError("--problems needs one --data file");
    study.answered = Answering(problems, samples, options.String("data"), tokenizer);
  }
  study.by_turns = options.Has("by-turns");
  const bool dry = options.Has("dry-run");
  StudyFile file = OpenStudy(options, *model, study.arms);
  std::printf("%s\n", Describe(samples).c_str());
  if (options.Has("protocol")) ShowOpenChoices(options.String("protocol"));
  const double steps = ShowArms(study, file);
  if (steps > 0) ShowCost(*model, samples, study, batch, steps);
  if (dry) return 0;
  std::fflush(stdout);
  study.directory = out;
  RunStudy(*model, samples.data, study, file, ShowProgress(study, file));
  ranks.Gather("");  // all lines are there
  if (!ranks.IsFirst()) return 0;
  std::printf("%zu runs are in %s\n", StudyFile(out).runs().size(), (out / "runs.jsonl").c_str());
  if (options.Has("quick")) WriteReport(out, model->width());
  return 0;
}

}  // namespace

Command StudyCommand() {
  return {"study",
          "Run every arm of a plan with several seeds, for a report; it goes on where it was stopped.",
          Join({{{"model", "DIR", "", "model directory; required without --quick"},
                 {"data", "FILE", "", kDataHelp},
                 TemplateOptionSpec(),
                 {"out", "DIR", nullptr, "directory of the study: its runs are added to runs.jsonl"},
                 {"forget", "FILE", "", "another text, whose loss is taken before and after each run"},
                 {"problems", "N", "0",
                  "held-out problems that the arms of the summary answer, judged by their final numbers"},
                 {"by-turns", nullptr, "", "one seed of every arm after another, so that their times compare"},
                 {"dry-run", nullptr, "", "print the arms, what is done and how long the rest takes, and run nothing"}},
                PlanOptionSpecs(),
                BasisOptionSpecs(),
                ScopeOptionSpecs(),
                TrainingOptionSpecs("50", "8", "0")}),
          StudyMain,
          nullptr,
          true};
}

}  // namespace ampgrad::train
