#include "models/generate.h"

#include <algorithm>
#include <cstdio>

#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "train/commands/commands.h"
#include "train/commands/model_options.h"
#include "train/commands/training_options.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"

namespace ampgrad::train {
namespace {

models::GenerateOptions ReadOptions(const Options& options) {
  models::GenerateOptions generate;
  generate.max_tokens = options.Integer("tokens", 1, 1'000'000);
  generate.sampling.temperature = options.Number("temperature", 0, 1e6);
  generate.sampling.top_k = options.Integer("top-k", 0, 1'000'000'000);
  generate.sampling.top_p = options.Number("top-p", 0, 1);
  generate.seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  return generate;
}

// The ids to begin from: what the tokenizer puts before a text, and the prompt, which may hold special tokens.
std::vector<int> Prompt(const Options& options, const models::Tokenizer& tokenizer) {
  using models::Tokenizer;
  std::vector<int> ids = tokenizer.prefix();
  if (options.Has("prompt")) {
    // What the tokenizer puts behind a text ends it, and a prompt goes on.
    const std::vector<int> text = tokenizer.Encode(options.String("prompt"), false, Tokenizer::Markup::kTokens);
    ids.insert(ids.end(), text.begin(), text.end());
  } else if (ids.empty()) {
    throw UsageError("--prompt is missing; expected one, since this tokenizer has no token that begins a text");
  }
  return ids;
}

// Nobody is left to read: a pipe that was closed, or a full disk. The program says so at its end.
struct OutputGone {};

int Continue(const Options& options) {
  models::GenerateOptions generate = ReadOptions(options);
  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  const std::filesystem::path& directory = given.base;
  models::LanguageModel* model = given.model.get();
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  generate.end_tokens = models::StopTokens(directory, *model, tokenizer);
  generate.vocabulary = tokenizer.vocabulary();
  generate.never = tokenizer.IdsWithoutToken();

  // The prompt is decoded, too: the text of a token, such as a space before it, depends on the tokens before it.
  models::StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  // A vocabulary may hold what a terminal takes for commands.
  const bool raw = options.Has("raw");
  const auto put = [&](const std::string& text) {
    std::fputs((raw ? text : io::Printable(text, "\n\t")).c_str(), stdout);
  };
  const auto print = [&](int id) { put(decoder.Push(id)); };
  const std::vector<int> prompt = Prompt(options, tokenizer);
  const Index length = static_cast<Index>(prompt.size());
  RequireMemoryToGenerate(*model, std::min(length, model->context()),
                          std::min(length + generate.max_tokens, model->context()), AvailableMemory());
  for (const int id : prompt) print(id);
  std::fflush(stdout);
  models::Generate(*model, prompt, generate, [&](int id) {
    print(id);
    if (std::fflush(stdout) != 0) throw OutputGone();
  });
  put(decoder.Finish() + "\n");
  return 0;
}

int Run(const Options& options) {
  try {
    return Continue(options);
  } catch (const OutputGone&) {
    return 1;
  }
}

}  // namespace

Command GenerateCommand() {
  return {"generate", "Continue a prompt.",
          Join({ModelOptionSpecs(),
                {{"prompt", "TEXT", "",
                  "text to continue; without it, a text is begun, where the tokenizer has a token for that"},
                 {"tokens", "N", "256", "tokens to add at most"},
                 {"temperature", "X", "0", "divides the logits; 0: always the likeliest token"},
                 {"top-k", "K", "0", "draw from the K likeliest tokens only; 0: from all"},
                 {"top-p", "P", "1", "draw from the fewest likeliest tokens whose probability reaches P only"},
                 {"seed", "N", "1", "seed of the draws"},
                 {"raw", nullptr, "", "print control characters as they are, not as \\xNN"}}}),
          Run};
}

}  // namespace ampgrad::train
