#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/chat/chat_template.h"
#include "train/data/examples.h"

namespace ampgrad::train {

/// Samples as token sequences, split into parts.
struct ChatData {
  Data data;
  models::ChatTemplate chat;                 // how the samples are written
  Index train, validation, held_out;         // number of samples in each part
  std::vector<Index> held_out_samples = {};  // where those of the held-out part stand among the samples of their file
  Index longest = 0;                         // tokens of the longest sequence, after the cut, or of the fullest row
  SampleCounts counts;
};

/// "90 samples to train on, 10 for choosing rates, …", for the terminal.
std::string Describe(const ChatData& data);

/// Only the assistant's contents and the token that ends each answer are targets. A seeded shuffle puts a tenth of the
/// samples, at most 128, in the held-out part, as many in the validation part, and the rest in the training part. Each
/// pass over the training part has its own order. Batches are padded to their longest sequence. Throws
/// std::runtime_error when a part would be empty, and as EncodeSamples does; `where` names the data.
ChatData MakeChatData(const Samples& samples, const models::ChatTemplate& chat, const models::Tokenizer& tokenizer,
                      Index length, Index batch, uint64_t seed, const std::string& where);

/// Where training data comes from, and how it is cut.
struct ChatSource {
  std::vector<std::filesystem::path>
      files;  // at least one; their samples are one list, in this order, before a shuffle
  std::filesystem::path model;
  std::string template_name;  // "" for the default of ChooseTemplate
  Index length, batch;
  uint64_t seed;
  std::filesystem::path held_out = {};  // the held-out part, all of it, in its order; then nothing else is held out
  bool mask_prompts = true;             // false: all tokens up to the last answer are learned
  bool pack = false;                    // a batch is `batch` packs: whole samples, of at most `length` tokens together
};

/// Throws std::runtime_error as ReadSamples, ChooseTemplate and MakeChatData do, and when the files would have
/// different templates. Files of plain text go with any.
ChatData ReadChatData(const ChatSource& source, const models::Tokenizer& tokenizer);

}  // namespace ampgrad::train
