#include <cstdio>
#include <nlohmann/json.hpp>

#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/text_file.h"
#include "train/analysis/evaluation.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/generation_options.h"
#include "train/commands/options/model_options.h"
#include "train/data/text_data.h"
#include "train/data/wording.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

// The model that is judged, and what reads for it.
struct Judged {
  GivenModel given;
  models::Tokenizer tokenizer;

  models::LanguageModel& model() const { return *given.model; }
};

// Asks what the samples ask, and notes what the answers are worth.
void Ask(const Options& options, const Judged& judged, const Samples& samples, const Examples& examples,
         Evaluation& evaluation) {
  models::GenerateOptions generate;
  generate.max_tokens = options.Integer("tokens", 1, 1'000'000);
  AddVocabulary(judged.given.Texts(), judged.model(), judged.tokenizer, generate);
  generate.end_tokens.push_back(examples.chat.end);
  Phase phase("answering");
  MatchAnswers(
      {judged.model(), judged.tokenizer, examples.chat, generate}, samples, examples.all, options.String("data"),
      [&](size_t done) {
        phase.Now("answered " + std::to_string(done) + " of " + std::to_string(examples.all.size()));
      },
      evaluation);
}

Evaluation EvaluateData(const Options& options, const Judged& judged) {
  const std::string file = options.String("data");
  Samples samples = During("reading the data", [&] { return ReadSamples(file); });
  const size_t limit = options.Has("limit") ? options.Integer("limit", 1, kMany) : samples.all.size();
  samples.all.resize(std::min(limit, samples.all.size()));
  const auto chat = ChooseTemplate(ReadTemplate(options), samples.kind, judged.given.Texts(), judged.tokenizer);
  const Index length = ReadLength(options, judged.model());
  Examples examples = EncodeSamples(samples, {chat, length}, judged.tokenizer, file);
  RequireSamples(examples, 1, length, file);
  std::printf("%zu samples, %s\n", samples.all.size(), Describe(examples.counts).c_str());
  examples.all = WithoutSkipped(std::move(examples.all));

  Evaluation evaluation;
  evaluation.match = ParseMatch(options.Choice("match", {"number", "text", "none"}));
  evaluation.samples = During("evaluation", [&] {
    return SequenceLosses(judged.model(), CutIntoBatches(examples.all, options.Integer("batch", 1, 1 << 20)));
  });
  for (size_t i = 0; i < examples.all.size(); ++i) {
    evaluation.samples[i].line = samples.all[examples.all[i].sample].line;
  }
  if (evaluation.match != Match::kNone) Ask(options, judged, samples, examples, evaluation);
  return evaluation;
}

Evaluation EvaluateText(const Options& options, const Judged& judged) {
  const std::string file = options.String("text"), text = io::ReadTextFile(file);
  const Index batch = options.Integer("batch", 1, 1 << 20), length = ReadLength(options, judged.model());
  const Index most = options.Has("limit") ? options.Integer("limit", 1, kMany) : kMany;
  const std::vector<Batch> windows =
      During("reading the text", [&] { return TextWindows(text, judged.tokenizer, length, batch, most, file); });
  Evaluation evaluation;
  evaluation.samples = During("evaluation", [&] { return SequenceLosses(judged.model(), windows); });
  for (size_t i = 0; i < evaluation.samples.size(); ++i) evaluation.samples[i].line = static_cast<Index>(i) + 1;
  return evaluation;
}

double MatchedShare(const Evaluation& evaluation) {
  return static_cast<double>(evaluation.Matched()) / static_cast<double>(evaluation.samples.size());
}

std::string ToJson(const Options& options, const Evaluation& evaluation) {
  const char* const source = options.Has("data") ? "data" : "text";
  nlohmann::ordered_json json = {{"model", options.String("model")}};
  if (options.Has("adapter")) json["adapter"] = options.String("adapter");
  json[source] = options.String(source);
  json["samples"] = evaluation.samples.size();
  json["tokens"] = evaluation.Tokens();
  json["loss"] = evaluation.Loss();
  json["perplexity"] = evaluation.Perplexity();
  if (evaluation.match != Match::kNone) {
    json["match"] = ToString(evaluation.match);
    json["matched"] = evaluation.Matched();
    json["share"] = MatchedShare(evaluation);
  }
  return io::JsonText(json, 1) + "\n";
}

int EvalMain(const Options& options) {
  if (options.Has("data") == options.Has("text")) throw UsageError("expected one of --data and --text");
  if (options.Has("text") && options.String("match") != "none") {
    throw UsageError("--match needs --data, whose samples ask something");
  }
  GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  const models::Tokenizer tokenizer = models::LoadTokenizer(given.Texts(), *given.model);
  const Judged judged{std::move(given), tokenizer};
  const Evaluation evaluation = options.Has("data") ? EvaluateData(options, judged) : EvaluateText(options, judged);
  const size_t count = evaluation.samples.size();
  std::printf("loss %.4f, perplexity %.4f, of %lld tokens in %zu %s\n", evaluation.Loss(), evaluation.Perplexity(),
              static_cast<long long>(evaluation.Tokens()), count, options.Has("data") ? "samples" : "windows");
  if (evaluation.match != Match::kNone) {
    std::printf("answers matched by %s: %lld of %zu, %.1f %%\n", ToString(evaluation.match),
                static_cast<long long>(evaluation.Matched()), count, 100 * MatchedShare(evaluation));
  }
  if (options.Has("csv")) io::WriteFileAtomically(options.String("csv"), ToCsv(evaluation));
  if (options.Has("json")) io::WriteFileAtomically(options.String("json"), ToJson(options, evaluation));
  return 0;
}

}  // namespace

Command EvalCommand() {
  return {
      "eval", "Judge a model by data: loss, perplexity, and whether it answers as the data does.",
      Join(
          {ModelOptionSpecs(),
           {{"data", "FILE", "", "samples as sft reads them; the loss is on their answers"},
            {"text", "FILE", "", "a text, read in windows of --length tokens; the loss is on all of it"},
            TemplateOptionSpec(),
            {"length", "N", "", "tokens a sequence at most; default: the model's context"},
            {"batch", "N", "8", "sequences at a time"},
            {"limit", "N", "", "samples or windows at most, from the start; default: all"},
            {"match", "HOW", "none",
             "lets the model answer, and counts answers that agree by their final number, as GSM8K scores, or by their "
             "text: number, text or none"},
            {"tokens", "N", "256", "tokens of an answer at most"},
            {"csv", "FILE", "", "write a line for each sample"},
            {"json", "FILE", "", "write the result as JSON"}}}),
      EvalMain};
}

}  // namespace ampgrad::train
