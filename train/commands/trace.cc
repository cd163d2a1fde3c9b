#include "train/analysis/trace.h"

#include <cstdio>
#include <string>

#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "train/analysis/trace_page.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/data/chat_data.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

// What makes the page again.
std::string TraceLine(const Options& options) {
  std::string line = "ampgrad trace";
  for (const OptionSpec& spec : TraceCommand().options) {
    const std::string name = spec.name;
    if (name != "html" && options.Given(name)) line += " --" + name + " " + options.String(name);
  }
  return line;
}

int TraceMain(const Options& options) {
  const MethodSettings method = ReadMethod(options);
  TraceOptions trace;
  trace.weight = options.String("weight");
  trace.part = options.String("part");
  trace.row = options.Integer("row", 0, kMany);
  trace.column = options.Integer("component", 0, kMany);

  const GivenModel given = ReadGivenModel(options, AdapterUse::kTrainExplicit);
  models::LanguageModel& model = *given.model;
  const bool begins = given.adapter.empty();  // else a number of the adapter is followed, as it lies there
  if (!begins) RequireNoOther(options, given.method);
  trace.lr = options.Has("lr") ? options.Number("lr", 0, 1e30) : DefaultRate(begins ? method.method : given.method);
  CheckK(method.k, model);
  const models::Tokenizer tokenizer = models::LoadTokenizer(given.Texts(), model);
  const ChatData samples = During("reading the data", [&] {
    return ReadChatData(ReadChatSource(options, given.Texts(), model, method.seed), tokenizer);
  });
  Bases bases;
  if (begins) {
    bases = During("the basis",
                   [&] { return MakeBases(model, method, {}, GradientBatches(options, method, samples.data)); });
    Prepare(model, method, bases);
  }
  const Batch batch = samples.data.train(0);
  RequireMemory(PlanMemory(model, bases.shared().get()), batch.tokens() / batch.length, batch.length,
                AvailableMemory());
  const Trace found = During("following the number", [&] { return FollowNumber(model, batch, trace); });
  const std::string label = begins ? method.Label() : given.method + " of the adapter";
  std::fputs(FormatTrace(found, trace, label).c_str(), stdout);
  if (options.Has("html")) {
    io::WriteFileAtomically(options.String("html"), FormatTracePage(found, trace, label, TraceLine(options)));
  }
  return 0;
}

}  // namespace

Command TraceCommand() {
  return {"trace", "Show the whole gradient chain of one trained number, from the loss to its AdamW step.",
          Join({ModelOptionSpecs(),
                {{"data", "FILE", nullptr, kDataHelp},
                 TemplateOptionSpec(),
                 {"weight", "NAME", nullptr, "the matrix, such as h.0.attn.c_attn.weight"},
                 {"part", "NAME", "", "what of it: scores, A, B, R, b, d, m, values or weight; default: the first"},
                 {"row", "R", "0", "row of the number in that part"},
                 {"component", "C", "0", "its column; of a score, the component, below K"}},
                MethodOptionSpecs(),
                {{"seed", "N", "1", "draws the order of the data, and what the method draws"},
                 {"lr", "X", "", "learning rate of the AdamW step; default: the method's own"},
                 {"batch", "N", "2", "sequences in the batch"},
                 {"length", "N", "", "tokens a sequence at most; default: the model's context"},
                 {"html", "FILE", "", "write the chain as a page that is read step by step and opens anywhere"}}}),
          TraceMain,
          sizeof(Real) == 8 ? nullptr : "ampgrad-double"};  // a difference of float losses would be mostly rounding
}

}  // namespace ampgrad::train
