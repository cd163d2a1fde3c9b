#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/gpt.h"
#include "train/data/chat_data.h"
#include "train/trainer.h"

namespace ampgrad::train {

inline const models::Tokenizer kByteTokenizer = models::Tokenizer::Bytes();

inline TrainOptions OptionsOf(Index steps, double lr) {
  TrainOptions options;
  options.steps = steps;
  options.lr = lr;
  return options;
}

/// The nano preset: d = 32, two blocks, 64 positions, 256 tokens. A block holds c_attn 32→96, c_proj 32→32, c_fc 32→128
/// and c_proj 128→32, which as rows of width 32 are 96 + 32 + 128 + 128.
inline constexpr Index kNanoRows = 2 * (96 + 32 + 128 + 128);
inline constexpr Index kNanoBlock =
    (32 * 96 + 96) + (32 * 32 + 32) + (32 * 128 + 128) + (128 * 32 + 32) + 2 * (32 + 32);
inline constexpr Index kNanoParameters = 256 * 32 + 64 * 32 + 2 * kNanoBlock + (32 + 32);

/// A fresh model of the nano preset.
inline models::Gpt Nano() {
  models::Gpt model(models::PresetConfig("nano"));
  model.Initialise(3);
  return model;
}

/// Forty short questions, each with its own answer.
inline ChatData Pairs() {
  Samples samples;
  for (int i = 0; i < 40; ++i) {
    samples.all.push_back(MakeSample("say " + std::to_string(i) + ": ", "it is " + std::to_string(i)));
  }
  return MakeChatData(samples, models::ChatTemplate(), models::Tokenizer::Bytes(), 32, 4, 1, "pairs");
}

/// The bytes of each parameter by its name.
inline std::map<std::string, std::string> BytesOf(const std::vector<Param*>& params) {
  std::map<std::string, std::string> bytes;
  for (const Param* param : params) {
    bytes[param->name].assign(reinterpret_cast<const char*>(param->value.data()), sizeof(Real) * param->value.size());
  }
  return bytes;
}

/// Trains to the end; `observe`, unless it is empty, sees every step.
inline void Train(models::LanguageModel& model, const std::function<Batch(Index)>& batches, const TrainOptions& options,
                  const std::function<void(const StepResult&)>& observe = nullptr) {
  Trainer trainer(model, options);
  while (!trainer.Done()) {
    const StepResult result = trainer.Step(batches(trainer.step()));
    if (observe) observe(result);
  }
}

}  // namespace ampgrad::train
