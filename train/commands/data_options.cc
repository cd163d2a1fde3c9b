#include "train/commands/data_options.h"

#include <stdexcept>

namespace ampgrad::train {
namespace {

constexpr Index kMany = 1'000'000'000;

}  // namespace

const char* const kDataHelp =
    "JSON lines, or a JSON array, of messages, conversations, instruction/input/output, prompt/completion or "
    "question/answer";

OptionSpec TemplateOptionSpec() {
  return {"template", "NAME", "",
          "zephyr, chatml, llama2, llama3, alpaca or plain; default: the model's own for messages, alpaca for "
          "instructions, else plain"};
}

std::string ReadTemplate(const Options& options) {
  return options.Has("template")
             ? options.Choice("template", {"zephyr", "chatml", "llama2", "llama3", "alpaca", "plain"})
             : "";
}

Index ReadLength(const Options& options, const models::LanguageModel& model) {
  if (model.context() < 2) {
    throw std::runtime_error("expected a model with a context of at least 2 tokens, as training takes, found " +
                             std::to_string(model.context()));
  }
  return options.Has("length") ? options.Integer("length", 1, model.context()) : model.context();
}

void LimitEvaluation(const Options& options, Data& data) {
  LimitEvaluation(data, options.Integer("eval-tokens", 1, kMany));
}

}  // namespace ampgrad::train
