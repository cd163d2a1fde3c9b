#include "train/run.h"

#include <chrono>

#include "train/interrupt.h"

namespace ampgrad::train {

double RunTraining(models::LanguageModel& model, const Data& data, const TrainOptions& options,
                   const std::string& label, RunLog& log) {
  using Clock = std::chrono::steady_clock;
  Trainer trainer(model, options);
  Progress progress(label, stderr);
  const auto begin = Clock::now();
  double seconds = 0, tokens = 0;
  const DeferSignals until_the_end;
  while (!trainer.Done()) {
    const StepResult result = trainer.Step(data.train(trainer.step()));
    tokens += static_cast<double>(result.tokens);
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const StepReport report{result, options.steps, seconds, tokens / seconds};
    progress.Show(report);
    log.Add(label, report);
    StopIfSignalled();
  }
  return options.steps > 0 ? seconds / static_cast<double>(options.steps) : 0;
}

}  // namespace ampgrad::train
