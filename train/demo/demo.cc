#include "train/demo/demo.h"

#include <algorithm>
#include <cstdio>

#include "models/generate.h"
#include "models/gpt.h"
#include "tensor/io/printable.h"
#include "tensor/thread_pool.h"
#include "train/data/chat_data.h"
#include "train/data/text_data.h"
#include "train/data/world.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"

namespace ampgrad::train {
namespace {

constexpr size_t kCorpusBytes = 1 << 20;
constexpr Index kPretrainLength = 256;  // the length of a story
constexpr Index kPretrainBatch = 4;
constexpr Index kSftLength = 96;  // the longest question and answer have fewer bytes
constexpr Index kSftBatch = 16;

void Pretrain(models::LanguageModel& model, const std::string& text, const models::Tokenizer& tokenizer, Index steps,
              uint64_t seed, RunLog& log) {
  const Data data = TextData(text, tokenizer, std::min(kPretrainLength, model.context()), kPretrainBatch, seed,
                             "the built-in corpus");
  TrainOptions options;
  options.steps = steps;
  options.warmup = steps / 20;
  options.adamw.weight_decay = 0.1;
  RequireMemory(PlanMemory(model), kPretrainBatch, std::min(kPretrainLength, model.context()), AvailableMemory());
  const double seconds = RunTraining(model, data, options, {.label = "pretrain"}, log).seconds_per_step;
  const double loss = Evaluate(model, data.held_out), entropy = UnigramEntropy(text);
  std::printf("base model: held-out loss %.4f nats a byte, %.0f %% of the corpus's unigram entropy %.4f; %.4f s/step\n",
              loss, 100 * loss / entropy, entropy, seconds);
}

void PrintSample(models::LanguageModel& model, const models::Tokenizer& tokenizer) {
  models::GenerateOptions options;
  options.max_tokens = 240;
  options.sampling.temperature = 0.7;
  std::printf("\na sample of its text:\n  One morning");
  const auto ids = models::Generate(model, tokenizer.Encode("One morning"), options);
  for (const char c : io::Printable(tokenizer.Decode(ids), "\n\t"))
    std::fputs(c == '\n' ? "\n  " : std::string(1, c).c_str(), stdout);
  std::printf("\n\n");
}

}  // namespace

void RunDemo(const DemoOptions& options, RunLog& log) {
  const World world(options.seed);
  const models::Tokenizer tokenizer = models::Tokenizer::Bytes();
  models::Gpt model(models::PresetConfig(options.preset));
  model.Initialise(options.seed);
  const std::string text = world.Stories(kCorpusBytes);
  std::printf("%s: %lld parameters; a corpus of %zu bytes of little stories; %d threads\n", options.preset.c_str(),
              static_cast<long long>(models::CountParameters(model)), text.size(), NumThreads());
  Pretrain(model, text, tokenizer, options.pretrain_steps, options.seed, log);
  PrintSample(model, tokenizer);

  const ChatData samples =
      MakeChatData(world.Questions(), models::ChatTemplate(), tokenizer, std::min(kSftLength, model.context()),
                   kSftBatch, options.seed, "the built-in questions");
  std::printf("questions about the same world: %lld to train on, %lld for choosing learning rates, %lld held out\n\n",
              static_cast<long long>(samples.train), static_cast<long long>(samples.validation),
              static_cast<long long>(samples.held_out));
  std::fflush(stdout);
  SweepOptions sweep = options.sweep;
  sweep.batch = kSftBatch;
  sweep.length = std::min(kSftLength, model.context());
  RunSweep(model, samples.data, sweep, log, PrintLastRow);
  std::printf("\n%s", kTableLegend);
}

}  // namespace ampgrad::train
