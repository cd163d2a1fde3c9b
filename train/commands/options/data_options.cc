#include "train/commands/options/data_options.h"

#include <stdexcept>

namespace ampgrad::train {
const char* const kDataHelp =
    "JSON lines, or a JSON array, of messages, conversations, instruction/input/output, prompt/completion, "
    "question/answer or text; several files with commas between them";

OptionSpec TemplateOptionSpec() {
  return {"template", "NAME", "",
          "zephyr, chatml, llama2, llama3, alpaca or plain; default: the model's own for messages, alpaca for "
          "instructions, else plain"};
}

std::vector<OptionSpec> SampleOptionSpecs() {
  return {{"valid", "FILE", "", "what is held out; default: a part of --data, which else is learned whole"},
          {"no-mask", nullptr, "", "learn prompts too, not the answers alone"},
          {"pack", nullptr, "",
           "side by side, each --length tokens of a batch hold as many whole samples as fit, which do not see each "
           "other"}};
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

ChatSource ReadChatSource(const Options& options, const std::filesystem::path& directory,
                          const models::LanguageModel& model, uint64_t seed) {
  const std::vector<std::string> files = options.Strings("data");
  ChatSource source{{files.begin(), files.end()},         directory, ReadTemplate(options), ReadLength(options, model),
                    options.Integer("batch", 1, 1 << 20), seed};
  if (!options.Knows("valid")) return source;
  source.held_out = options.String("valid");
  source.mask_prompts = !options.Has("no-mask");
  source.pack = options.Has("pack");
  return source;
}

void LimitEvaluation(const Options& options, Data& data) {
  LimitEvaluation(data, options.Integer("eval-tokens", 1, kMany));
}

}  // namespace ampgrad::train
