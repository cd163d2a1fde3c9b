#include "train/demo/world_model.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "models/gpt.h"
#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/own_file.h"
#include "tensor/io/staged_directory.h"
#include "tensor/thread_pool.h"
#include "train/data/text_data.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/run.h"

namespace ampgrad::train {
namespace {

constexpr size_t kCorpusBytes = 1 << 20;
constexpr Index kLength = 256;  // the length of a story
constexpr Index kBatch = 4;
constexpr Index kStepsOfWorld = 1000;

}  // namespace

std::unique_ptr<models::LanguageModel> PretrainOnWorld(const World& world, const std::string& preset, Index steps,
                                                       uint64_t seed) {
  auto model = std::make_unique<models::Gpt>(models::PresetConfig(preset));
  model->Initialise(seed);
  const std::string text = world.Stories(kCorpusBytes);
  std::printf("%s: %lld parameters; a corpus of %zu bytes of little stories; %d threads\n", preset.c_str(),
              static_cast<long long>(models::CountParameters(*model)), text.size(), NumThreads());
  const Index length = std::min(kLength, model->context());
  const Data data = TextData(text, models::Tokenizer::Bytes(), length, kBatch, seed, "the built-in corpus");
  TrainOptions options;
  options.steps = steps;
  options.warmup = steps / 20;
  options.adamw.weight_decay = 0.1;
  RequireMemory(PlanMemory(*model), kBatch, length, AvailableMemory());
  RunLog log("");
  const double seconds = RunTraining(*model, data, options, {.label = "pretrain"}, log).seconds_per_step;
  const double loss = Evaluate(*model, data.held_out), entropy = UnigramEntropy(text);
  std::printf("base model: held-out loss %.4f nats a byte, %.0f %% of the corpus's unigram entropy %.4f; %.4f s/step\n",
              loss, 100 * loss / entropy, entropy, seconds);
  return model;
}

void WriteWorld(const std::filesystem::path& directory, uint64_t seed) {
  const World world(seed);
  if (!io::IsThere(directory / kWorldModel)) {
    io::StagedDirectory out(directory / kWorldModel);
    const auto model = PretrainOnWorld(world, "nano", kStepsOfWorld, seed);
    out.Fill([&](const std::filesystem::path& to) { models::SaveModel(to, *model, models::Tokenizer::Bytes()); });
  }
  if (io::IsThere(directory / kWorldQuestions)) return;
  std::string lines;
  for (const Sample& sample : world.Questions().all) {
    const nlohmann::ordered_json line = {{"question", sample.messages[0].content},
                                         {"answer", sample.messages[1].content}};
    lines += line.dump() + "\n";
  }
  io::WriteFileAtomically(directory / kWorldQuestions, lines);
}

}  // namespace ampgrad::train
