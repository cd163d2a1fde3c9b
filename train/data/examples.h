#pragma once

#include <string>
#include <vector>

#include "models/chat/chat_template.h"
#include "train/data/batch.h"
#include "train/data/samples.h"

/// Samples as token sequences with a loss mask.
namespace ampgrad::train {

/// A sample as the model reads it. One that is skipped has no tokens.
struct Example {
  std::vector<int> inputs, targets;  // [n]; targets[i] is the token after inputs[i], or ops::kIgnored
  Index sample = 0;                  // its number among the samples
};

/// What became of samples on the way.
struct SampleCounts {
  Index truncated = 0;   // sequences cut at the length
  Index skipped = 0;     // samples without an answer, or whose answers lie wholly after the cut
  Index tool_calls = 0;  // samples left out as they call tools

  void Add(const SampleCounts& other);
};
/// "3 cut at the sequence length, 2 skipped, as no answer was left", for the terminal.
std::string Describe(const SampleCounts& counts);

struct Examples {
  models::ChatTemplate chat;  // how the samples are written
  std::vector<Example> all;   // one for each sample, in their order
  SampleCounts counts;
};

/// How samples become examples.
struct Encoding {
  models::ChatTemplate chat;
  Index length;              // tokens of a sequence at most
  bool mask_prompts = true;  // learns the assistant's contents and their ends alone; else all up to the last of them
};

/// Throws std::runtime_error "WHERE:LINE: …" when a text cannot be encoded, or a system prompt or a history has no
/// place in the template.
Examples EncodeSamples(const Samples& samples, const Encoding& encoding, const models::Tokenizer& tokenizer,
                       const std::string& where);

/// Throws std::runtime_error when fewer than `least` samples were not skipped; otherwise returns their number. `length`
/// is that of the encoding, and `where` names the data.
Index RequireSamples(const Examples& examples, Index least, Index length, const std::string& where);
/// Leaves out the samples that were skipped.
std::vector<Example> WithoutSkipped(std::vector<Example> examples);

/// What a sample asks, and the answer to it.
struct Question {
  std::vector<int> prompt;  // up to where the last answer to be learned begins
  std::string answer;       // its text
};

/// Of a sample with an answer and of any kind but kText. Throws as EncodeSamples does.
Question LastQuestion(SampleKind kind, const Sample& sample, const models::ChatTemplate& chat,
                      const models::Tokenizer& tokenizer, const std::string& where);

/// Sequences in rows of equal length: shorter ones are padded, without targets.
Batch Padded(const std::vector<const Example*>& examples);
/// Sequences side by side, each kept apart from the others by the borders of the batch. Nothing is padded.
Batch SideBySide(const std::vector<const Example*>& examples);

/// One batch of `batch` examples after another, padded.
std::vector<Batch> CutIntoBatches(const std::vector<Example>& examples, Index batch);

/// Puts sequences of these lengths into rows of at most `capacity` tokens, none of them cut: the longest first, each
/// into the fullest row that has room for it. Returns the indices of each row, and of equal lengths takes the first
/// first. Every length must be within the capacity. Such a row is a stretch of the N rows of a batch, each of which
/// holds one token.
std::vector<std::vector<Index>> Pack(const std::vector<Index>& lengths, Index capacity);

}  // namespace ampgrad::train
