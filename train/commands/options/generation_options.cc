#include "train/commands/options/generation_options.h"

#include <cstdio>

#include "models/model_directory.h"
#include "tensor/io/printable.h"

namespace ampgrad::train {

std::vector<OptionSpec> GenerationOptionSpecs(const char* tokens) {
  return {{"tokens", "N", tokens, "tokens to add at most"},
          {"temperature", "X", "0", "divides the logits; 0: always the likeliest token"},
          {"top-k", "K", "0", "draw from the K likeliest tokens only; 0: from all"},
          {"top-p", "P", "1", "draw from the fewest likeliest tokens whose probability reaches P only"},
          {"seed", "N", "1", "seed of the draws"},
          {"raw", nullptr, "", "print control characters as they are, not as \\xNN"}};
}

models::GenerateOptions ReadGeneration(const Options& options) {
  models::GenerateOptions generate;
  generate.max_tokens = options.Integer("tokens", 1, 1'000'000);
  generate.sampling.temperature = options.Number("temperature", 0, 1e6);
  generate.sampling.top_k = options.Integer("top-k", 0, 1'000'000'000);
  generate.sampling.top_p = options.Number("top-p", 0, 1);
  generate.seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  return generate;
}

void AddVocabulary(const std::filesystem::path& directory, const models::LanguageModel& model,
                   const models::Tokenizer& tokenizer, models::GenerateOptions& generate) {
  generate.end_tokens = models::StopTokens(directory, model, tokenizer);
  generate.vocabulary = tokenizer.vocabulary();
  generate.never = tokenizer.IdsWithoutToken();
}

void PrintGenerated(const Options& options, const std::string& text) {
  std::fputs((options.Has("raw") ? text : io::Printable(text, "\n\t")).c_str(), stdout);
}

}  // namespace ampgrad::train
