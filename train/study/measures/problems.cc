#include "train/study/measures/problems.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "train/analysis/evaluation.h"

namespace ampgrad::train {

std::function<double(models::LanguageModel&)> Answering(Index count, const ChatData& data,
                                                        const std::filesystem::path& file,
                                                        const models::Tokenizer& tokenizer) {
  const auto samples = std::make_shared<const Samples>(ReadSamples(file));
  if (samples->kind == SampleKind::kText) {
    throw std::runtime_error(file.string() + ": expected problems with answers, found plain text, which asks nothing");
  }
  std::vector<Example> asked;
  for (const Index sample : data.held_out_samples) {
    if (static_cast<Index>(asked.size()) < count) asked.push_back({.inputs = {}, .targets = {}, .sample = sample});
  }
  models::GenerateOptions generate;
  generate.max_tokens = 256;
  generate.end_tokens = {data.chat.end};
  generate.vocabulary = tokenizer.vocabulary();
  generate.never = tokenizer.IdsWithoutToken();
  return [=, &tokenizer, chat = data.chat, where = file.string()](models::LanguageModel& model) {
    Evaluation evaluation;
    evaluation.match = Match::kNumber;
    evaluation.samples.resize(asked.size());
    MatchAnswers(
        {model, tokenizer, chat, generate}, *samples, asked, where, [](size_t) {}, evaluation);
    return static_cast<double>(evaluation.Matched()) / static_cast<double>(asked.size());
  };
}

}  // namespace ampgrad::train
