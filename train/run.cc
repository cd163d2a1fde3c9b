#include "train/run.h"

#include <chrono>

#include "train/interrupt.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

// Ranks whose numbers have come apart are found after so many steps at the latest, and before anything is written.
constexpr Index kStepsBetweenChecks = 50;

class TrainingRun {
 public:
  TrainingRun(models::LanguageModel& model, const Data& data, const TrainOptions& options, const RunPlan& plan,
              RunLog& log)
      : model_(model),
        data_(data),
        plan_(plan),
        log_(log),
        ranks_(*options.ranks),
        trainer_(model, options),
        progress_(plan.label, stderr) {
    if (plan.directory && plan.directory->resumed()) {
      state_ = plan.directory->Load(trainer_);
      if (ranks_.IsFirst()) log.GoOnFrom(state_.log_bytes);
    }
    before_ = trainer_.step();
  }

  RunResult ToTheEnd() {
    const DeferSignals until_the_end;
    while (!Done()) {
      Step();
      if (!Done()) SaveIfDue();
    }
    RequireSameTrained(trainer_);
    if (plan_.keep_best && !state_.best.empty()) UseBest();
    const Index steps = trainer_.step() - before_;
    return {steps > 0 ? step_seconds_ / static_cast<double>(steps) : 0, trainer_.step(), state_.best_step,
            state_.best_loss};
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool Due(Index every) const { return every > 0 && trainer_.step() % every == 0; }
  bool Done() const { return trainer_.Done() || (plan_.patience > 0 && state_.worse >= plan_.patience); }

  void Step() {
    const Clock::time_point begin = Clock::now();
    const StepResult result = trainer_.Step(data_.train(trainer_.step()));
    step_seconds_ += SecondsSince(begin);
    tokens_ += static_cast<double>(result.tokens);
    StepReport report{.result = result,
                      .steps = trainer_.options().steps,
                      .here = trainer_.step() - before_,
                      .seconds = SecondsSince(begin_),
                      .tokens_per_second = tokens_ / step_seconds_,
                      .validation_loss = {},
                      .held_out_loss = {}};
    if (Due(plan_.eval_every) || (plan_.eval_every > 0 && trainer_.Done())) Judge(report);
    progress_.Show(report, Done());
    signalled_ = ranks_.size() > 1 ? result.signalled : NotedSignal() != 0;
    if (Due(kStepsBetweenChecks)) RequireSameTrained(trainer_);
    if (!ranks_.IsFirst()) return;
    log_.Add(plan_.label, report);
    if (Due(plan_.sample_every)) progress_.Say("step " + std::to_string(result.step) + ": " + plan_.sample());
  }

  void Judge(StepReport& report) {
    const bool has_validation = !data_.validation.empty();
    const double loss = Evaluate(model_, has_validation ? data_.validation : data_.held_out, ranks_);
    (has_validation ? report.validation_loss : report.held_out_loss) = loss;
    ++state_.worse;
    if (loss >= state_.best_loss) return;
    state_.best_loss = loss;
    state_.best_step = trainer_.step();
    state_.worse = 0;
    if (!plan_.keep_best) return;
    state_.best.clear();
    for (const Optimizer::Slot& slot : trainer_.optimizer().slots()) state_.best.push_back(slot.param->value.Clone());
  }

  void UseBest() {
    std::vector<Optimizer::Slot>& slots = trainer_.optimizer().slots();
    for (size_t i = 0; i < slots.size(); ++i) {
      std::copy(state_.best[i].begin(), state_.best[i].end(), slots[i].param->value.begin());
    }
  }

  void SaveIfDue() {
    if (!plan_.directory) return StopIfSignalled();
    const bool stop = signalled_;
    if (!stop && !Due(plan_.save_every)) return;
    if (ranks_.IsFirst()) state_.log_bytes = log_.Sync();
    plan_.directory->Save(trainer_, state_);
    if (!stop) return;
    throw Interrupted("interrupted after step " + std::to_string(trainer_.step()) + " of " +
                      std::to_string(trainer_.options().steps) + "; it goes on with '" + plan_.directory->HowToGoOn() +
                      "'");
  }

  models::LanguageModel& model_;
  const Data& data_;
  const RunPlan& plan_;
  RunLog& log_;
  Ranks& ranks_;
  Trainer trainer_;
  Progress progress_;
  RunState state_;
  bool signalled_ = false;  // the run stops; all ranks say the same
  Index before_ = 0;        // steps that an earlier process took
  const Clock::time_point begin_ = Clock::now();
  double step_seconds_ = 0, tokens_ = 0;  // of the steps taken here, without what is done between them
};

}  // namespace

RunResult RunTraining(models::LanguageModel& model, const Data& data, const TrainOptions& options, const RunPlan& plan,
                      RunLog& log) {
  return TrainingRun(model, data, options, plan, log).ToTheEnd();
}

}  // namespace ampgrad::train
