#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "models/gguf_model_writer.h"
#include "models/model_directory.h"
#include "tensor/io/printable.h"
#include "tensor/io/text_file.h"
#include "train/analysis/evaluation.h"
#include "train/commands/commands.h"
#include "train/commands/options/model_options.h"
#include "train/data/text_data.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

// The mean loss of a model on windows of a text, on each token but the first of each window.
double LossOn(models::LanguageModel& model, const std::vector<Batch>& windows) {
  Evaluation evaluation;
  evaluation.samples = During("evaluation", [&] { return SequenceLosses(model, windows); });
  return evaluation.Loss();
}

std::vector<Batch> ReadWindows(const Options& options, const GivenModel& given) {
  constexpr Index kTokens = 512;  // a window
  const std::string file = options.String("text"), text = io::ReadTextFile(file);
  const models::Tokenizer tokenizer = models::LoadTokenizer(given.Texts(), *given.model);
  const Index length = std::min(kTokens, given.model->context());
  return TextWindows(text, tokenizer, length, 1, options.Integer("limit", 1, 1 << 30), file);
}

int QuantizeMain(const Options& options) {
  const io::GgmlType type = models::ParseQuantisedType(options.Choice("type", models::QuantisedTypes()));
  const std::filesystem::path out = options.String("out");
  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  const std::vector<Batch> windows = options.Has("text") ? ReadWindows(options, given) : std::vector<Batch>();
  const double change = During("writing", [&] {
    return models::WriteGgufModel(out, *given.model, {given.base, given.Texts()}, type);
  });
  std::printf("wrote %s, whose matrices differ by %.2e of their norm\n", io::Printable(out.string()).c_str(), change);
  if (windows.empty()) return 0;
  const double before = LossOn(*given.model, windows);
  const double after = LossOn(*ReadModel(out), windows);
  std::printf("loss %.4f before, %.4f after, on %zu windows of the text\n", before, after, windows.size());
  return 0;
}

}  // namespace

Command QuantizeCommand() {
  return {"quantize", "Write a model as a GGUF file, which llama.cpp and this program run.",
          Join({ModelOptionSpecs(),
                {{"type", "NAME", "q8_0", "type of the matrices: f32, f16, bf16, q8_0 or q4_0"},
                 {"out", "FILE", nullptr, "file to write"},
                 {"text", "FILE", "", "a text, on which the loss before and after is printed"},
                 {"limit", "N", "16", "windows of 512 tokens of the text at most"}}}),
          QuantizeMain};
}

}  // namespace ampgrad::train
