#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"
#include "train/data/batch.h"

namespace ampgrad::train {

/// Windows of `length` tokens at random places of a text, drawn for every step. The last 5 % of the text (at least one
/// window, at most 64) are held out. `where` names the text in messages. Throws std::runtime_error when the text is
/// empty, too short for one window of each part, or no UTF-8 at all (RequireText).
Data TextData(const std::string& text, const models::Tokenizer& tokenizer, Index length, Index batch, uint64_t seed,
              const std::string& where);

/// A text to be judged, all of it or at most `most` windows of `length` tokens. They follow each other, so that every
/// token but the first is a target once; the last one may be shorter. What the tokenizer puts before a text (BOS) comes
/// first. Throws std::runtime_error when the text has fewer than two tokens or is not UTF-8.
std::vector<Batch> TextWindows(const std::string& text, const models::Tokenizer& tokenizer, Index length, Index batch,
                               Index most, const std::string& where);

/// −Σ p log p over the frequencies of the bytes of `text`, in nats: the loss of a model that knows only how often each
/// byte occurs.
double UnigramEntropy(const std::string& text);

}  // namespace ampgrad::train
