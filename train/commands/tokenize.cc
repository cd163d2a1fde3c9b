#include <cstdio>
#include <string>

#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "tensor/io/text_file.h"
#include "train/commands/commands.h"
#include "train/commands/options/model_options.h"

namespace ampgrad::train {
namespace {

int TokenizeMain(const Options& options) {
  if (options.Has("text") == options.Has("prompt")) throw UsageError("expected one of --text and --prompt");
  const std::string text = options.Has("text") ? io::ReadTextFile(options.String("text")) : options.String("prompt");
  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  const models::Tokenizer tokenizer = models::LoadTokenizer(given.Texts(), *given.model);
  const auto markup = options.Has("special") ? models::Tokenizer::Markup::kTokens : models::Tokenizer::Markup::kText;
  const std::vector<int> ids = tokenizer.Encode(text, options.Has("begin"), markup);
  const bool pieces = options.Has("pieces");
  for (size_t i = 0; i < ids.size(); ++i) {
    if (pieces) {
      std::printf("%d\t%s\n", ids[i], io::Printable(tokenizer.Decode({ids[i]})).c_str());
    } else {
      std::printf("%s%d", i ? " " : "", ids[i]);
    }
  }
  if (!pieces) std::printf("\n");
  return 0;
}

}  // namespace

Command TokenizeCommand() {
  return {"tokenize", "Print the tokens of a text, as a model reads it.",
          Join({ModelOptionSpecs(),
                {{"text", "FILE", "", "the text"},
                 {"prompt", "TEXT", "", "the text itself"},
                 {"begin", nullptr, "", "with the tokens that the tokenizer puts before and after a text"},
                 {"special", nullptr, "", "text that looks like a special token, such as </s>, becomes one"},
                 {"pieces", nullptr, "", "a line for each token: its id, and its text"}}}),
          TokenizeMain};
}

}  // namespace ampgrad::train
