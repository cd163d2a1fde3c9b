#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/chat/chat_template.h"
#include "train/data/samples.h"

/// The words in which samples of each kind are written, and the template around them.
namespace ampgrad::train {

/// Stanford Alpaca's text before a response, with an input section unless `input` is empty.
std::string AlpacaPrompt(const std::string& instruction, const std::string& input);

/// What the user says in a sample of any kind but kMessages and kText, in words that suit the format. In kAlpaca:
/// AlpacaPrompt. In kPlain: the prompt itself, "Question: …\nAnswer: ", or the instruction and its input on a line
/// each. In chat formats: the text alone, followed by an empty line and the input, if any.
std::string UserText(SampleKind kind, const Sample& sample, models::ChatFormat format);

/// The sample as the template takes it: the words of its user are UserText. Throws std::runtime_error for a system
/// prompt or a history in a format without roles.
std::vector<models::Message> Messages(SampleKind kind, const Sample& sample, models::ChatFormat format);

/// The template for data of `kind`: the one called `name` or, if that is empty, the model's own for messages, alpaca
/// for instructions, else plain. Of text, plain whatever the name. Throws std::runtime_error when messages have no
/// template, or one without roles.
models::ChatTemplate ChooseTemplate(const std::string& name, SampleKind kind, const std::filesystem::path& model,
                                    const models::Tokenizer& tokenizer);

}  // namespace ampgrad::train
