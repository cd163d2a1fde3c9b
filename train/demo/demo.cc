#include "train/demo/demo.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "models/generate.h"
#include "tensor/io/printable.h"
#include "train/data/chat_data.h"
#include "train/data/world.h"
#include "train/demo/world_model.h"

namespace ampgrad::train {
namespace {

constexpr Index kSftLength = 96;  // the longest question and answer have fewer bytes
constexpr Index kSftBatch = 16;

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

void RunDemo(const DemoOptions& options) {
  const World world(options.seed);
  const models::Tokenizer tokenizer = models::Tokenizer::Bytes();
  const std::unique_ptr<models::LanguageModel> model =
      PretrainOnWorld(world, options.preset, options.pretrain_steps, options.seed);
  PrintSample(*model, tokenizer);

  const ChatData samples =
      MakeChatData(world.Questions(), models::ChatTemplate(), tokenizer, std::min(kSftLength, model->context()),
                   kSftBatch, options.seed, "the built-in questions");
  std::printf("questions about the same world: %lld to train on, %lld for choosing learning rates, %lld held out\n\n",
              static_cast<long long>(samples.train), static_cast<long long>(samples.validation),
              static_cast<long long>(samples.held_out));
  std::fflush(stdout);
  SweepOptions sweep = options.sweep;
  sweep.batch = kSftBatch;
  sweep.length = std::min(kSftLength, model->context());
  StudyFile in_memory;
  RunSweep(*model, samples.data, sweep, in_memory, PrintLastRow);
  std::printf("\n%s", kTableLegend);
}

}  // namespace ampgrad::train
