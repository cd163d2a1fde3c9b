#pragma once

#include <filesystem>
#include <functional>

#include "models/tokenizer/tokenizer.h"
#include "train/data/chat_data.h"

namespace ampgrad::train {

/// A function that lets a model answer the first `count` held-out problems of `data`, which was read from `file` alone,
/// and returns the share of answers with the right final number (FinalNumber), as GSM8K is scored. Answers are greedy
/// and of at most 256 tokens. `data` and `tokenizer` must outlive it. Throws as ReadSamples does, and
/// std::runtime_error for plain text, which asks nothing.
std::function<double(models::LanguageModel&)> Answering(Index count, const ChatData& data,
                                                        const std::filesystem::path& file,
                                                        const models::Tokenizer& tokenizer);

}  // namespace ampgrad::train
