#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/tokenizer.h"
#include "train/batch.h"

namespace ampgrad::train {

/// A prompt and the completion that is to be learned.
struct Pair {
  std::string prompt;
  std::string completion;
};

/// The prompt that a question becomes: "Question: …\nAnswer: ".
std::string QuestionPrompt(const std::string& question);

/// Reads JSON lines of {"prompt", "completion"} or {"question", "answer"}, one shape in a file; blank lines, CRLF and a
/// byte-order mark are accepted. Throws std::runtime_error with file and line for anything else, and for a file without
/// pairs.
std::vector<Pair> ReadPairs(const std::filesystem::path& path);

/// Pairs as token sequences, split into parts.
struct PairData {
  Data data;
  Index train, validation, held_out;  // number of pairs in each part
  Index truncated = 0;                // sequences cut at `length`
  Index skipped = 0;                  // pairs whose completion lies wholly behind the cut
};

/// Tokens: prompt, completion, end of text; the loss is on the completion and the end alone. A seeded shuffle puts a tenth of
/// the pairs, at most 128, in the held-out part, as many in the validation part, the rest in the training part, which is
/// shuffled anew for every pass. Batches are padded to their longest sequence. Throws std::runtime_error when a part would
/// be empty.
PairData MakePairData(const std::vector<Pair>& pairs, const models::Tokenizer& tokenizer, Index length, Index batch,
                      uint64_t seed, const std::string& where);

}  // namespace ampgrad::train
