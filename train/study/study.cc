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
#include "train/report/format.h"
#include "train/study/hidden_cache.h"
#include "train/study/study_bases.h"

namespace ampgrad::train {
namespace {

// Seed s trains on the batches from step s times this on; searches on those of seed 0.
constexpr Index kStepsApart = 1'000'000;

// Batches of the training part that the loss after the last step is taken of.
constexpr Index kTrainBatches = 8;

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string BitsOf(const std::vector<Param*>& params) {
  io::Digest digest;
  for (const Param* param : params) digest.Add(param->value.data(), param->value.size() * sizeof(Real));
  return digest.Text();
}

// ‖dW·Bᵀ‖²/‖dW‖² over the matrices in scope at step 0 of a seed, for K = 1, 2, 4, … of the basis.
std::map<Index, double> CaptureOf(models::LanguageModel& base, const Scope& scope, const ct::Basis& basis,
                                  const Batch& batch) {
  double all = 0;
  std::vector<double> squares(basis.k());
  ForEachGradient(base, scope, ct::RowsPolicy::kBlocks, {batch}, [&](const Tensor& rows) {
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

// A study under way.
class Study {
 public:
  Study(models::LanguageModel& base, const Data& data, const StudyOptions& options, StudyFile& file)
      : base_(base),
        data_(Shared(data, options)),
        options_(options),
        file_(file),
        bases_(base, LargestK(options), options.sample, options.arms.front().method.rows) {}

  void Run(const OnRun& on_run) {
    base_loss_ = Evaluate(base_, data_.held_out);
    if (!options_.forget.empty()) forget_loss_ = Evaluate(base_, options_.forget);
    for (const auto& [arm, seeds] : Missing(options_, file_)) {
      if (seeds.empty()) continue;
      const RateSearch rate = RateOf(*arm, on_run);
      for (const uint64_t seed : seeds) {
        on_run(arm->name + ", seed " + std::to_string(seed));
        if (!file_.captures().contains(seed)) {
          file_.AddCapture(seed,
                           CaptureOf(base_, options_.arms.front().method.scope, *bases_.Universal(), BatchOf(seed, 0)));
        }
        file_.AddRun(RunArm(*arm, seed, rate));
      }
    }
  }

 private:
  // The data, whose losses ask a cache where to begin; when the first arm trains all layers, there is nothing to share.
  static Data Shared(const Data& data, const StudyOptions& options) {
    const Scope& scope = options.arms.front().method.scope;
    if (options.spill.empty() || scope.all_layers || scope.first <= 0) return data;
    const auto cache = [&] {
      return std::make_shared<HiddenCache>(HiddenCache::Limits{.block = scope.first, .directory = options.spill});
    };
    return WithHidden(data, cache(), cache());
  }

  static Index LargestK(const StudyOptions& options) {
    Index largest = 1;
    for (const Arm& arm : options.arms) {
      const bool amplitude = arm.method.method == "amplitude" || arm.kind == ArmKind::kRebuilt;
      largest = std::max(largest, amplitude ? arm.method.k : arm.method.NeedsBasis() ? arm.method.rank : 1);
    }
    return largest;
  }

  Batch BatchOf(uint64_t seed, Index step) const { return data_.train(static_cast<Index>(seed) * kStepsApart + step); }

  // `steps` 0: those of the study.
  TrainOptions OptionsOf(Index steps, uint64_t seed, double lr) const {
    TrainOptions train = options_.train;
    if (steps > 0) {
      train.warmup = train.warmup * steps / train.steps;
      train.steps = steps;
    }
    train.lr = lr;
    train.seed = seed;
    return train;
  }

  std::unique_ptr<models::LanguageModel> Prepared(const Arm& arm, uint64_t seed) {
    std::vector<Batch> batches;
    if (arm.method.basis == ct::BasisKind::kGradient) {
      for (Index i = 0; i < options_.gradient_batches; ++i) batches.push_back(BatchOf(seed, i));
    }
    Arm seeded = arm;
    seeded.method.seed = seed;
    std::unique_ptr<models::LanguageModel> model = base_.Clone();
    PrepareArm(*model, seeded, bases_.Of(seeded, seed, batches));
    model->checkpoint_blocks = base_.checkpoint_blocks;
    return model;
  }

  // Validation losses that an earlier process has seen are not taken again.
  RateSearch RateOf(const Arm& arm, const OnRun& on_run) {
    if (arm.IsLevel()) return {};
    if (arm.fixed_lr > 0) return {.lr = arm.fixed_lr, .tried = {}, .at_edge = false};
    if (!arm.rate_of.empty()) return RateOf(*std::ranges::find(options_.arms, arm.rate_of, &Arm::name), on_run);
    const std::vector<double> rates = arm.rates.empty() ? RatesAround(DefaultRate(arm.method.method)) : arm.rates;
    return SearchRate(rates, [&](double lr) {
      const std::map<double, double>& tried = file_.Tried(arm.name);
      if (const auto known = tried.find(lr); known != tried.end()) return known->second;
      on_run(arm.name + report::Format(", searching its rate at %g", lr));
      double loss = std::numeric_limits<double>::infinity();
      try {
        const std::unique_ptr<models::LanguageModel> model = Prepared(arm, 0);
        Trainer trainer(*model, OptionsOf(options_.search_steps > 0 ? options_.search_steps : arm.steps, 0, lr));
        while (!trainer.Done()) {
          trainer.Step(BatchOf(0, trainer.step()));
          StopIfSignalled();
        }
        loss = Evaluate(*model, data_.validation);
      } catch (const DivergedError&) {
      }
      file_.AddTried(arm.name, lr, loss);
      return loss;
    });
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
    record.total = models::CountParameters(base_);
    record.instructions = SimdTarget();
    const std::unique_ptr<models::LanguageModel> model = Prepared(arm, seed);
    try {
      record.start_loss = record.end_loss = Evaluate(*model, data_.held_out);
      if (!arm.IsLevel()) Train(*model, record);
    } catch (const DivergedError& error) {
      record.diverged = error.what();
    }
    record.memory = Tensor::PeakBytes();
    record.seconds = SecondsSince(begin);
    return record;
  }

  void Train(models::LanguageModel& model, StudyRun& record) {
    const TrainOptions train = OptionsOf(record.arm.steps, record.seed, record.rate.lr);
    const std::vector<Param*> params = models::TrainableParameters(model);
    record.trained = models::CountParameters(params);
    record.optimizer_bytes = 2 * record.trained * static_cast<Index>(sizeof(Real));
    if (std::isnan(record.rate.lr)) throw DivergedError("every rate of the search diverged");
    double seconds = 0;
    {
      Trainer trainer(model, train);
      while (!trainer.Done()) {
        const auto begin = std::chrono::steady_clock::now();
        record.curve.push_back(trainer.Step(BatchOf(record.seed, trainer.step())).loss);
        seconds += SecondsSince(begin);
        StopIfSignalled();
        const Index done = trainer.step();
        if (4 * done / train.steps != 4 * (done - 1) / train.steps) {
          record.held_out.push_back({done, Evaluate(model, data_.held_out), seconds});
        }
      }
    }
    record.seconds_per_step = seconds / static_cast<double>(train.steps);
    record.end_loss = record.held_out.back().loss;
    std::vector<Batch> seen;
    for (Index i = 0; i < std::min(kTrainBatches, train.steps); ++i) seen.push_back(BatchOf(record.seed, i));
    record.train_loss = Evaluate(model, seen);
    if (!options_.forget.empty()) record.forgetting = Evaluate(model, options_.forget) - forget_loss_;
    record.bits = BitsOf(params);
    SetChange(model, record);
  }

  void SetChange(models::LanguageModel& model, StudyRun& record) {
    const ct::Basis& basis = *bases_.Universal();
    ChangeOptions change;
    for (Index k = 1; k <= basis.k(); k *= 2) change.ks.push_back(k);
    const WeightChange found = CompareWeights(base_, model, basis, change);
    for (const ChangeSums& kind : found.kinds) record.change[kind.name] = kind.Norm();
    record.change_norm = found.all.Norm();
    record.change_relative = found.all.Relative();
    for (size_t i = 0; i < change.ks.size(); ++i) record.inside[change.ks[i]] = found.all.Share(i);
  }

  models::LanguageModel& base_;
  const Data data_;
  const StudyOptions& options_;
  StudyFile& file_;
  StudyBases bases_;
  double base_loss_ = 0, forget_loss_ = 0;
};

}  // namespace

std::vector<std::pair<const Arm*, std::vector<uint64_t>>> Missing(const StudyOptions& options, const StudyFile& file) {
  std::vector<std::pair<const Arm*, std::vector<uint64_t>>> missing;
  for (size_t i = 0; i < options.arms.size(); ++i) {
    if (static_cast<Index>(i) % options.parts != options.part) continue;
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
  Study(base, data, options, file).Run(on_run);
}

}  // namespace ampgrad::train
