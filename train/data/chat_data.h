#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "models/chat/chat_template.h"
#include "train/data/batch.h"
#include "train/data/samples.h"

namespace ampgrad::train {

/// Stanford Alpaca's text before a response, with an input section or, when `input` is empty, without.
std::string AlpacaPrompt(const std::string& instruction, const std::string& input);

/// What the user says in a sample of any kind but kMessages, in words that suit the format. In kAlpaca: AlpacaPrompt.
/// In kPlain: a prompt as it stands, "Question: …\nAnswer: ", or the instruction and its input, a line each. In chat
/// formats: the text alone, an input behind an empty line.
std::string UserText(SampleKind kind, const Sample& sample, models::ChatFormat format);

/// The template for data of `kind`: that of `name`, if it is not empty; else the model's own for messages, alpaca for
/// instructions, plain for the others. Throws std::runtime_error when messages have no template, or one without roles.
models::ChatTemplate ChooseTemplate(const std::string& name, SampleKind kind, const std::filesystem::path& model,
                                    const models::Tokenizer& tokenizer);

/// Samples as token sequences, split into parts.
struct ChatData {
  Data data;
  Index train, validation, held_out;  // number of samples in each part
  Index truncated = 0;                // sequences cut at `length`
  Index skipped = 0;                  // samples whose answers lie wholly behind the cut
};

/// "90 samples to train on, 10 for choosing rates, …", for the terminal.
std::string Describe(const ChatData& data);

/// The loss is on the assistant's words and the token that ends each answer, alone. A seeded shuffle puts a tenth of the
/// samples, at most 128, in the held-out part, as many in the validation part, the rest in the training part, which every
/// pass takes in an order of its own. Batches are padded to their longest sequence. Throws std::runtime_error when a part
/// would be empty or a text has no tokens; `where` names the data.
ChatData MakeChatData(const Samples& samples, const models::ChatTemplate& chat, const models::Tokenizer& tokenizer,
                      Index length, Index batch, uint64_t seed, const std::string& where);

/// Where training data comes from, and how it is cut.
struct ChatSource {
  std::filesystem::path file, model;
  std::string template_name;  // "" for the one that suits
  Index length, batch;
  uint64_t seed;
};

/// Throws std::runtime_error as ReadSamples, ChooseTemplate and MakeChatData do.
ChatData ReadChatData(const ChatSource& source, const models::Tokenizer& tokenizer);

}  // namespace ampgrad::train
