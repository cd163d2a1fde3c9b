#include "train/analysis/evaluation.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "train/report/format.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {}  // namespace

Index Evaluation::Tokens() const {
  Index tokens = 0;
  for (const EvaluatedSample& sample : samples) tokens += sample.tokens;
  return tokens;
}

double Evaluation::Loss() const {
  double sum = 0;
  for (const EvaluatedSample& sample : samples) sum += static_cast<double>(sample.tokens) * sample.loss;
  return sum / static_cast<double>(Tokens());
}

double Evaluation::Perplexity() const { return std::exp(Loss()); }

Index Evaluation::Matched() const {
  return std::ranges::count_if(samples, [](const EvaluatedSample& sample) { return sample.matched; });
}

std::vector<EvaluatedSample> SequenceLosses(models::LanguageModel& model, const std::vector<Batch>& batches) {
  std::vector<EvaluatedSample> losses;
  for (const Batch& batch : batches) {
    Tape tape(Tape::Mode::kInference);
    const Tensor logits = model.Logits(tape, batch.inputs, batch.length, batch.borders).value;
    for (Index s = 0; s < batch.sequences(); ++s) {
      const Index begin = batch.Begin(s), end = batch.Begin(s + 1);
      const std::vector<int> targets(batch.targets.begin() + begin, batch.targets.begin() + end);
      EvaluatedSample sample;
      sample.tokens = ops::CountTargets(targets);
      sample.loss = ops::CrossEntropy(tape.Constant(logits.Rows(begin, end)), targets, sample.tokens).value[0];
      if (!std::isfinite(sample.loss)) throw DivergedError("the loss of a sequence is not finite");
      losses.push_back(sample);
    }
  }
  return losses;
}

void MatchAnswers(const Respondent& respondent, const Samples& samples, const std::vector<Example>& examples,
                  const std::string& where, const std::function<void(size_t)>& done, Evaluation& evaluation) {
  if (samples.kind == SampleKind::kText) {
    throw std::runtime_error(where + ": its samples are plain text, which asks nothing; expected --match none");
  }
  for (size_t n = 0; n < examples.size(); ++n) {
    EvaluatedSample& evaluated = evaluation.samples[n];
    const Sample& sample = samples.all[examples[n].sample];
    const Question question = LastQuestion(samples.kind, sample, respondent.chat, respondent.tokenizer, where);
    const std::vector<int> ids = models::Generate(respondent.model, question.prompt, respondent.generate);
    evaluated.answer = respondent.tokenizer.Decode(ids, /*skip_special=*/true);
    evaluated.matched = Agree(evaluation.match, evaluated.answer, question.answer);
    done(n + 1);
  }
}

std::string ToCsv(const Evaluation& evaluation) {
  std::string text = "line,tokens,loss,perplexity,matched,answer\n";
  for (const EvaluatedSample& s : evaluation.samples) {
    text += report::Format("%lld,%lld,%.9g,%.9g,", static_cast<long long>(s.line), static_cast<long long>(s.tokens),
                           s.loss, std::exp(s.loss));
    text += evaluation.match == Match::kNone ? "," : std::string(s.matched ? "1," : "0,") + report::CsvCell(s.answer);
    text += "\n";
  }
  return text;
}

}  // namespace ampgrad::train
