#include <cstdio>

#include "models/generate.h"
#include "models/model_directory.h"
#include "train/commands.h"

namespace ampgrad::train {
namespace {

int Run(const Options& options) {
  models::GenerateOptions generate;
  generate.max_tokens = options.Integer("tokens", 1, 1'000'000);
  generate.temperature = options.Number("temperature", 0, 1e6);
  generate.seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  generate.end_token = models::Tokenizer::kEndOfText;

  const std::filesystem::path directory = options.String("model");
  const std::unique_ptr<models::LanguageModel> model = models::LoadModel(directory);
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  generate.vocabulary = tokenizer.vocabulary();
  std::fputs(options.String("prompt").c_str(), stdout);
  models::StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  models::Generate(*model, tokenizer.Encode(options.String("prompt")), generate, [&](int id) {
    std::fputs(decoder.Push(id).c_str(), stdout);
    std::fflush(stdout);
  });
  std::fputs((decoder.Finish() + "\n").c_str(), stdout);
  return 0;
}

}  // namespace

Command GenerateCommand() {
  return {"generate",
          "Continue a prompt.",
          {{"model", "DIR", nullptr, "model directory"},
           {"prompt", "TEXT", nullptr, "text to continue"},
           {"tokens", "N", "200", "tokens to add at most"},
           {"temperature", "X", "0", "0: always the likeliest token"},
           {"seed", "N", "1", "seed of the draws"}},
          Run};
}

}  // namespace ampgrad::train
