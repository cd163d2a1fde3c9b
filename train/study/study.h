#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "train/study/plans/plan.h"
#include "train/study/study_file.h"
#include "train/trainer.h"

namespace ampgrad::train {

struct StudyOptions {
  std::vector<Arm> arms;
  Index seeds = 5;                       // 1, 2, …
  Index part = 0, parts = 1;             // this process runs every arm whose number is part modulo parts
  TrainOptions train = {};               // of every run; the rate is searched, and arms may have steps of their own
  Index search_steps = 0;                // of the runs that search a rate; 0: those of the arm
  ct::RowSample sample = {};             // of the bases
  Index gradient_batches = 8;            // of a gradient basis
  std::filesystem::path directory = {};  // for what frozen layers compute beyond memory, and for files that are
                                         // weighed; empty: nothing is shared, and nothing weighed
  std::vector<Batch> forget = {};        // another text, whose loss before and after is compared; empty: none
  std::function<double(models::LanguageModel& tuned)> answered = nullptr;  // share of held-out problems that it solves
  bool by_turns = false;  // one seed of every arm after another, so that times can be compared
};

/// What is about to run: "exact K=8, seed 2".
using OnRun = std::function<void(const std::string& what)>;

/// Runs the arms that `file` does not have yet, each with every seed, and adds a line as each is done. Seed s of every
/// arm sees the same batches; the held-out and the validation part are the same for all. The rate of an arm is searched
/// once, at the arm's own number of steps unless options say otherwise, on batches that no seed trains on in the same
/// order, judged on the validation part: from the method's own rate and its two neighbours, of 1 and 3 times the powers
/// of ten, on until the best has a worse one on both sides. A run that diverges is a line too.
/// Of the base, what it costs to cut the scores of each matrix is a line, too (CutEachMatrix).
/// What frozen layers below the scope of the first arm make of a batch is computed once for all runs, with the same
/// bits. Throws DivergedError when the loss of `base` itself is not finite, and Interrupted after a step in which the
/// program noted a signal.
void RunStudy(models::LanguageModel& base, const Data& data, const StudyOptions& options, StudyFile& file,
              const OnRun& on_run);

/// Seconds of a step of `prepared` on the batches of `data`, the faster of two. Nothing in it changes.
double StepSeconds(models::LanguageModel& prepared, const Data& data);

/// The arms of this part, and of each the seeds that `file` lacks.
std::vector<std::pair<const Arm*, std::vector<uint64_t>>> Missing(const StudyOptions& options, const StudyFile& file);

}  // namespace ampgrad::train
