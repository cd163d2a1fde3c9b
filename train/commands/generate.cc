#include "models/generate.h"

#include <algorithm>
#include <cstdio>

#include "models/model_directory.h"
#include "train/commands/commands.h"
#include "train/commands/options/generation_options.h"
#include "train/commands/options/model_options.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"

namespace ampgrad::train {
namespace {

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
  models::GenerateOptions generate = ReadGeneration(options);
  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  const std::filesystem::path directory = given.Texts();
  models::LanguageModel* model = given.model.get();
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  AddVocabulary(directory, *model, tokenizer, generate);

  // The prompt is decoded, too: the text of a token, such as a space before it, depends on the tokens before it.
  models::StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  const auto print = [&](int id) { PrintGenerated(options, decoder.Push(id)); };
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
  PrintGenerated(options, decoder.Finish() + "\n");
  return 0;
}

int GenerateMain(const Options& options) {
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
                  "text to continue; without it, a text is begun, where the tokenizer has a token for that"}},
                GenerationOptionSpecs("256")}),
          GenerateMain};
}

}  // namespace ampgrad::train
