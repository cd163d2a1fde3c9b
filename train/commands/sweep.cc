#include "train/demo/sweep.h"

#include <cstdio>

#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/commands/options/study_options.h"
#include "train/commands/options/training_options.h"
#include "train/data/chat_data.h"
#include "train/interrupt.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

int SweepMain(const Options& options) {
  SweepOptions sweep;
  sweep.train = ReadTrainOptions(options);
  sweep.search_steps = options.Integer("search-steps", 1, 1'000'000'000);
  sweep.full_lrs = options.Numbers("full-lr", 1e-30, 1e30);
  sweep.amplitude_lrs = options.Numbers("amplitude-lr", 1e-30, 1e30);
  sweep.policy = ReadRowsPolicy(options);
  sweep.sample = ReadRowSample(options);
  sweep.chain = ReadChain(options);
  sweep.ks = options.Integers("k", 1, 1'000'000'000);
  const Index batch = options.Integer("batch", 1, 1 << 20);

  const std::filesystem::path directory = options.String("model");
  const std::unique_ptr<models::LanguageModel> model = ReadModel(directory);
  for (const Index k : sweep.ks) CheckK(k, *model);
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  sweep.batch = batch;
  sweep.length = ReadLength(options, *model);
  ChatData samples = During("reading the data", [&] {
    return ReadChatData(ReadChatSource(options, directory, *model, sweep.sample.seed), tokenizer);
  });
  LimitEvaluation(options, samples.data);
  CutEvaluation(samples.data, sweep.train.shards);
  StudyFile file = OpenStudy(options, *model, SweepArms(sweep));
  std::printf("%s\n", Describe(samples).c_str());
  // Rows are shown and saved as they are done: a sweep takes long, and may be stopped.
  const std::string json = options.String("json");
  size_t saved = 0;
  try {
    RunSweep(*model, samples.data, sweep, file, [&](const std::vector<SweepRow>& rows) {
      PrintLastRow(rows);
      if (json.empty()) return;
      io::WriteFileAtomically(json, TableJson(rows) + "\n");
      saved = rows.size();
    });
  } catch (const Interrupted&) {
    if (saved == 0) throw;
    throw Interrupted("interrupted; the rows that were done, " + std::to_string(saved) + ", are saved in " + json);
  }
  std::printf("\n%s", kTableLegend);
  return 0;
}

}  // namespace

Command SweepCommand() {
  return {
      "sweep", "Fine-tune copies of a model by every method and print the table.",
      Join({{{"model", "DIR", nullptr, "model directory"},
             {"data", "FILE", nullptr, kDataHelp},
             TemplateOptionSpec(),
             {"k", "K,K,…", "4,8,16,32,64", "scores a row"},
             {"full-lr", "X,X,…", "1e-4,3e-4,1e-3",
              "learning rates to try for full SFT; a best one at the edge is followed beyond"},
             {"amplitude-lr", "X,X,…", "1e-3,3e-3,1e-2,3e-2", "the same for each start of amplitude"},
             {"search-steps", "N", "15", "steps of each run of the search"},
             {"json", "FILE", "", "write the table as JSON, row by row"},
             {"out", "DIR", "", "directory of a study that keeps the runs, with the loss of each step; it goes on"}},
            BasisOptionSpecs(),
            TrainingOptionSpecs("60", "8", "0")}),
      SweepMain};
}

}  // namespace ampgrad::train
