#include "train/study/study.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "tensor/io/digest.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/simd/simd_target.h"
#include "train/change/weight_change.h"
#include "train/interrupt.h"
#include "train/run_log.h"
#include "train/study/measures/cut_scores.h"
#include "train/study/measures/lora_overlap.h"
#include "train/study/measures/written_scores.h"
#include "train/study/study_rates.h"
#include "train/study/study_setup.h"

namespace ampgrad::train {
namespace {

// Batches of the training part that the loss after the last step is taken of.
constexpr Index kTrainBatches = 8;

std::string BitsOf(const std::vector<Param*>& params) {
  io::Digest digest;
  for (const Param* param : params) digest.Add(param->value.data(), param->value.size() * sizeof(Real));
  return digest.Text();
}

// ‖dW·Bᵀ‖²/‖dW‖² over the matrices that `method` decomposes at step 0 of a seed, for K = 1, 2, 4, … of the basis.
std::map<Index, double> CaptureOf(models::LanguageModel& base, const MethodSettings& method, const ct::Basis& basis,
                                  const Batch& batch) {
  double all = 0;
  std::vector<double> squares(basis.k());
  ForEachGradient(base, method.scope, method.rows, {batch}, [&](const Tensor& rows) {
    Tensor scores = Tensor::Uninitialized({rows.rows(), basis.k()});
    kernels::ProductNT(rows, basis.vectors, {scores.data()});
    all += kernels::SumSquares(rows.data(), rows.size());
    for (Index r = 0; r < scores.rows(); ++r) {
      for (Index c = 0; c < scores.cols(); ++c) squares[c] += static_cast<double>(scores.row(r)[c]) * scores.row(r)[c];
    }
  });
  std::map<Index, double> capture;
  double sum = 0;
  for (Index k = 1, c = 0; k <= basis.k(); k *= 2) {
    for (; c < k; ++c) sum += squares[c];
    capture[k] = all > 0 ? sum / all : 0;
  }
  return capture;
}

// The K of the summary's arm with start reconstructed, or 0.
Index SummaryK(const std::vector<Arm>& arms) {
  for (const Arm& arm : arms) {
    if (arm.summary && arm.method.StartIsLossy()) return arm.method.k;
  }
  return 0;
}

// A study under way.
class Study {
 public:
  Study(models::LanguageModel& base, const Data& data, const StudyOptions& options, StudyFile& file,
        const OnRun& on_run)
      : setup_(base, data, options), options_(options), file_(file), on_run_(on_run), rates_(setup_, file, on_run) {}

  void Run() {
    base_loss_ = Evaluate(setup_.base(), setup_.data().held_out);
    if (!options_.forget.empty()) forget_loss_ = Evaluate(setup_.base(), options_.forget);
    for (const auto& [arm, seed] : Turns()) {
      const RateSearch rate = rates_.Of(*arm);
      on_run_(arm->name + ", seed " + std::to_string(seed));
      MeasureBase(seed);
      file_.AddRun(RunArm(*arm, seed, rate));
    }
  }

 private:
  std::vector<std::pair<const Arm*, uint64_t>> Turns() const {
    std::vector<std::pair<const Arm*, uint64_t>> turns;
    for (const auto& [arm, seeds] : Missing(options_, file_)) {
      for (const uint64_t seed : seeds) turns.emplace_back(arm, seed);
    }
    if (options_.by_turns) std::ranges::stable_sort(turns, {}, &std::pair<const Arm*, uint64_t>::second);
    return turns;
  }

  // What does not depend on an arm, once.
  void MeasureBase(uint64_t seed) {
    const MethodSettings& first = options_.arms.front().method;
    if (!file_.captures().contains(seed)) {
      const Batch batch = setup_.BatchOf({}, seed, 0);
      file_.AddCapture(seed, CaptureOf(setup_.base(), first, setup_.Universal(), batch));
    }
    const Index k = SummaryK(options_.arms);
    if (options_.part != 0 || k == 0 || !file_.cuts().empty()) return;
    on_run_("cutting the scores of each matrix");
    const auto& held_out = setup_.data().held_out;
    file_.AddCuts(k, CutEachMatrix(setup_.base(), first.scope, first.rows, setup_.Universal(), k, held_out));
  }

  StudyRun RunArm(const Arm& arm, uint64_t seed, const RateSearch& rate) {
    const auto begin = std::chrono::steady_clock::now();
    Tensor::ResetPeakBytes();
    StudyRun record;
    record.arm = arm;
    record.seed = seed;
    record.rate = rate;
    record.base_loss = base_loss_;
    record.start_loss = record.end_loss = record.train_loss = record.seconds_per_step = NAN;
    record.total = models::CountParameters(setup_.base());
    record.instructions = SimdTarget();
    const std::unique_ptr<models::LanguageModel> model = setup_.Prepared(arm, seed);
    try {
      record.start_loss = Evaluate(*model, setup_.data().held_out);
      if (arm.IsLevel()) {
        record.end_loss = record.start_loss;
      } else {
        Train(*model, record);
      }
    } catch (const DivergedError& error) {
      record.diverged = error.what();
    }
    record.memory = Tensor::PeakBytes();
    record.seconds = SecondsSince(begin);
    return record;
  }

  void Train(models::LanguageModel& model, StudyRun& record) {
    const std::vector<Param*> params = models::TrainableParameters(model);
    record.trained = models::CountParameters(params);
    record.optimizer_bytes = 2 * record.trained * static_cast<Index>(sizeof(Real));
    if (std::isnan(record.rate.lr)) throw DivergedError("every rate of the search diverged");
    Step(model, record);
    record.end_loss = record.held_out.back().loss;
    std::vector<Batch> seen;
    for (Index i = 0; i < std::min(kTrainBatches, static_cast<Index>(record.curve.size())); ++i) {
      seen.push_back(setup_.BatchOf(record.arm, record.seed, i));
    }
    record.train_loss = Evaluate(model, seen);
    if (!options_.forget.empty()) record.forgetting = Evaluate(model, options_.forget) - forget_loss_;
    record.bits = BitsOf(params);
    SetChange(model, record);
    if (!record.arm.summary) return;
    if (options_.answered) record.answered = options_.answered(model);
    // A run that was stopped after its file was weighed is run again, and its file is known.
    const bool weighed = std::ranges::find(file_.files(), record.arm.name, &WrittenFile::arm) != file_.files().end();
    if (!options_.directory.empty() && record.arm.method.method == "amplitude" && record.seed == 1 && !weighed) {
      file_.AddFile(WeighScores(setup_.base(), model, record.arm, setup_.data().held_out, options_.directory));
    }
  }

  // All steps, with evaluations after each quarter of them.
  void Step(models::LanguageModel& model, StudyRun& record) {
    const Arm& arm = record.arm;
    const TrainOptions train = setup_.OptionsOf(arm, arm.steps, record.seed, record.rate.lr, model);
    const auto overlap = [&](Index done) {
      if (arm.method.method != "lora" || arm.method.factors == FactorSource::kBasis) return;
      record.overlap.push_back({done, LoraOverlap(model, arm.method.scope, setup_.Universal())});
    };
    overlap(0);
    double seconds = 0;
    Trainer trainer(model, train);
    while (!trainer.Done()) {
      const auto begin = std::chrono::steady_clock::now();
      record.curve.push_back(trainer.Step(setup_.BatchOf(arm, record.seed, trainer.step())).loss);
      seconds += SecondsSince(begin);
      StopIfSignalled();
      const Index done = trainer.step();
      if (4 * done / train.steps == 4 * (done - 1) / train.steps) continue;
      record.held_out.push_back({done, Evaluate(model, setup_.data().held_out), seconds});
      overlap(done);
    }
    record.seconds_per_step = seconds / static_cast<double>(train.steps);
  }

  void SetChange(models::LanguageModel& model, StudyRun& record) {
    const ct::Basis& basis = setup_.Universal();
    ChangeOptions change;
    for (Index k = 1; k <= basis.k(); k *= 2) change.ks.push_back(k);
    const WeightChange found = CompareWeights(setup_.base(), model, basis, change);
    for (const ChangeSums& kind : found.kinds) record.change[kind.name] = kind.Norm();
    record.change_norm = found.all.Norm();
    record.change_relative = found.all.Relative();
    for (size_t i = 0; i < change.ks.size(); ++i) record.inside[change.ks[i]] = found.all.Share(i);
  }

  StudySetup setup_;
  const StudyOptions& options_;
  StudyFile& file_;
  const OnRun& on_run_;
  StudyRates rates_;
  double base_loss_ = 0, forget_loss_ = 0;
};

// The number of the arm by which the rate of arm `i` is searched. It is run where that one is run, so that no search is
// done twice.
Index SearchedBy(const std::vector<Arm>& arms, size_t i) {
  while (arms[i].RateFrom() != arms[i].name) {
    i = static_cast<size_t>(std::ranges::find(arms, arms[i].RateFrom(), &Arm::name) - arms.begin());
  }
  return static_cast<Index>(i);
}

}  // namespace

std::vector<std::pair<const Arm*, std::vector<uint64_t>>> Missing(const StudyOptions& options, const StudyFile& file) {
  std::vector<std::pair<const Arm*, std::vector<uint64_t>>> missing;
  for (size_t i = 0; i < options.arms.size(); ++i) {
    if (SearchedBy(options.arms, i) % options.parts != options.part) continue;
    const Arm& arm = options.arms[i];
    missing.push_back({&arm, {}});
    // What nothing draws is the same for every seed.
    const Index seeds = arm.IsLevel() ? 1 : options.seeds;
    for (Index seed = 1; seed <= seeds; ++seed) {
      if (!file.HasRun(arm.name, static_cast<uint64_t>(seed))) {
        missing.back().second.push_back(static_cast<uint64_t>(seed));
      }
    }
  }
  return missing;
}

double StepSeconds(models::LanguageModel& prepared, const Data& data) {
  TrainOptions options;
  options.steps = 2;
  options.lr = 0;
  options.adamw.weight_decay = 0;
  Trainer trainer(prepared, options);
  double least = std::numeric_limits<double>::infinity();
  while (!trainer.Done()) {
    const auto begin = std::chrono::steady_clock::now();
    trainer.Step(data.train(trainer.step()));
    least = std::min(least, SecondsSince(begin));
  }
  return least;
}

void RunStudy(models::LanguageModel& base, const Data& data, const StudyOptions& options, StudyFile& file,
              const OnRun& on_run) {
  Study(base, data, options, file, on_run).Run();
}

}  // namespace ampgrad::train
