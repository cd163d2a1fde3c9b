#include "train/analysis/trace.h"

#include <cstdio>

#include "models/model_directory.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/model_options.h"
#include "train/data/chat_data.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

int Run(const Options& options) {
  TraceOptions trace;
  trace.weight = options.String("weight");
  trace.row = options.Integer("row", 0, 1'000'000'000);
  trace.component = options.Integer("component", 0, 1'000'000'000);
  trace.k = options.Integer("k", 1, 1'000'000'000);
  trace.start = ct::ParseStart(options.Choice("start", {"exact", "reconstructed"}));
  trace.lr = options.Number("lr", 0, 1e30);

  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  const std::filesystem::path directory = given.Texts();
  models::LanguageModel* model = given.model.get();
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  const ChatData samples = During(
      "reading the data", [&] { return ReadChatData(ReadChatSource(options, directory, *model, 1), tokenizer); });
  const ScoreTrace found =
      During("following the score", [&] { return TraceScore(*model, samples.data.train(0), trace); });
  std::fputs(FormatTrace(found, trace).c_str(), stdout);
  return 0;
}

}  // namespace

Command TraceCommand() {
  return {"trace", "Show the whole gradient chain of one score, from the loss to its AdamW step.",
          Join({ModelOptionSpecs(),
                {{"data", "FILE", nullptr, kDataHelp},
                 TemplateOptionSpec(),
                 {"weight", "NAME", nullptr, "the matrix, such as h.0.attn.c_attn.weight"},
                 {"row", "R", "0", "row of the score"},
                 {"component", "C", "0", "component of the score, below K"},
                 {"k", "K", "8", "scores a row"},
                 {"start", "NAME", "exact", "reconstructed (W = S·B + μ) or exact (W = W₀ + ΔS·B)"},
                 {"lr", "X", "1e-2", "learning rate of the AdamW step"},
                 {"batch", "N", "2", "sequences in the batch"},
                 {"length", "N", "", "tokens a sequence at most; default: the model's context"}}}),
          Run,
          sizeof(Real) == 8 ? nullptr : "ampgrad-double"};  // a difference of float losses would be mostly rounding
}

}  // namespace ampgrad::train
