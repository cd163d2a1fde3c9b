#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/generate.h"
#include "models/tokenizer/tokenizer.h"
#include "train/analysis/answer_match.h"
#include "train/data/examples.h"

/// How well a model knows data, sample by sample.
namespace ampgrad::train {

/// One sample, or one window of a text.
struct EvaluatedSample {
  Index line = 0;      // in the file; of a text the number of the window, from 1
  Index tokens = 0;    // targets
  double loss = 0;     // the mean over them, in nats
  std::string answer;  // what the model generated, if it was asked
  bool matched = false;
};

struct Evaluation {
  std::vector<EvaluatedSample> samples;
  Match match = Match::kNone;  // how answers were compared

  Index Tokens() const;
  /// The mean over all targets, in nats; and e to its power.
  double Loss() const;
  double Perplexity() const;
  Index Matched() const;
};

/// The losses of all sequences of `batches`, in their order; lines are left at 0. Throws DivergedError when one is not
/// finite.
std::vector<EvaluatedSample> SequenceLosses(models::LanguageModel& model, const std::vector<Batch>& batches);

/// A model that is asked questions.
struct Respondent {
  models::LanguageModel& model;
  const models::Tokenizer& tokenizer;
  models::ChatTemplate chat;
  models::GenerateOptions generate;
};

/// Lets the model answer the last question of each of `examples`, which were evaluated and come from `samples`, and
/// compares with the answer of the data. `done` is told how many are answered. Throws std::runtime_error for samples of
/// kText, which ask nothing.
void MatchAnswers(const Respondent& respondent, const Samples& samples, const std::vector<Example>& examples,
                  const std::string& where, const std::function<void(size_t)>& done, Evaluation& evaluation);

/// A line of names, then one for each sample: line, tokens, loss, perplexity, matched (1 or 0), answer. The last two
/// are empty where nothing was matched.
std::string ToCsv(const Evaluation& evaluation);

}  // namespace ampgrad::train
