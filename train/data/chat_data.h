#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "models/chat/chat_template.h"
#include "train/data/batch.h"
#include "train/data/samples.h"

namespace ampgrad::train {

/// Stanford Alpaca's text before a response, with an input section unless `input` is empty.
std::string AlpacaPrompt(const std::string& instruction, const std::string& input);

/// What the user says in a sample of any kind but kMessages, in words that suit the format. In kAlpaca: AlpacaPrompt.
/// In kPlain: the prompt itself, "Question: …\nAnswer: ", or the instruction and its input on a line each. In chat
/// formats: the text alone, followed by an empty line and the input, if any.
std::string UserText(SampleKind kind, const Sample& sample, models::ChatFormat format);

/// The template for data of `kind`: the one called `name` or, if that is empty, the model's own for messages, alpaca
/// for instructions, else plain. Throws std::runtime_error when messages have no template, or one without roles.
models::ChatTemplate ChooseTemplate(const std::string& name, SampleKind kind, const std::filesystem::path& model,
                                    const models::Tokenizer& tokenizer);

/// Samples as token sequences, split into parts.
struct ChatData {
  Data data;
  models::ChatTemplate chat;          // how the samples are written
  Index train, validation, held_out;  // number of samples in each part
  Index longest = 0;                  // tokens of the longest sequence, after the cut
  Index truncated = 0;                // sequences cut at `length`
  Index skipped = 0;                  // samples without an answer, or whose answers lie wholly after the cut
  Index tool_calls = 0;               // samples left out as they call tools
};

/// "90 samples to train on, 10 for choosing rates, …", for the terminal.
std::string Describe(const ChatData& data);

/// Only the assistant's contents and the token that ends each answer are targets. A seeded shuffle puts a tenth of the
/// samples, at most 128, in the held-out part, as many in the validation part, and the rest in the training part. Each
/// pass over the training part has its own order. Batches are padded to their longest sequence. Throws
/// std::runtime_error when a part would be empty, a text cannot be encoded, or a system prompt or a history has no
/// place in the template; `where` names the data.
ChatData MakeChatData(const Samples& samples, const models::ChatTemplate& chat, const models::Tokenizer& tokenizer,
                      Index length, Index batch, uint64_t seed, const std::string& where);

/// Where training data comes from, and how it is cut.
struct ChatSource {
  std::filesystem::path file, model;
  std::string template_name;  // "" for the default of ChooseTemplate
  Index length, batch;
  uint64_t seed;
};

/// Throws std::runtime_error as ReadSamples, ChooseTemplate and MakeChatData do.
ChatData ReadChatData(const ChatSource& source, const models::Tokenizer& tokenizer);

}  // namespace ampgrad::train
