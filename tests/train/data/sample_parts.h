#pragma once

#include <string>

#include "train/data/samples.h"

/// What a sample of one question asks, and what it answers.
namespace ampgrad::train {

inline const std::string& PromptOf(const Sample& sample) { return sample.messages.front().content; }
inline const std::string& AnswerOf(const Sample& sample) { return sample.messages.back().content; }

}  // namespace ampgrad::train
