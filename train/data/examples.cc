#include "train/data/examples.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

#include "train/data/wording.h"

namespace ampgrad::train {
namespace {

constexpr int kPadding = 0;  // an id that every vocabulary has; never a target, and after all targets

// What `work` returns. An error of it is reported with the sample's line.
template <class Work>
auto At(const std::string& where, const Sample& sample, Work work) {
  try {
    return work();
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(where + (sample.line > 0 ? ":" + std::to_string(sample.line) : "") + ": " + error.what());
  }
}

// targets[n] is token n + 1 if that is a target, else kIgnored.
Example MakeExample(const models::Tokens& tokens, Index sample, bool mask_prompts) {
  Example example{{tokens.ids.begin(), tokens.ids.end() - 1}, {tokens.ids.begin() + 1, tokens.ids.end()}, sample};
  for (size_t n = 0; n < example.targets.size(); ++n) {
    if (mask_prompts && !tokens.is_target[n + 1]) example.targets[n] = ops::kIgnored;
  }
  return example;
}

// Only what is kept takes memory: one long text among many must not cost its whole length.
void Cut(std::vector<int>& ids, Index length) { ids = {ids.begin(), ids.begin() + length}; }

// ", 3 skipped, as they call tools", where there are any.
std::string ToolCalls(Index count) {
  return count > 0 ? ", " + std::to_string(count) + " skipped, as they call tools" : "";
}

bool HasTarget(const Example& example) {
  return std::any_of(example.targets.begin(), example.targets.end(), [](int t) { return t != ops::kIgnored; });
}

}  // namespace

Examples EncodeSamples(const Samples& samples, const Encoding& encoding, const models::Tokenizer& tokenizer,
                       const std::string& where) {
  Examples result;
  result.chat = encoding.chat;
  result.counts.tool_calls = samples.tool_calls;
  for (const Sample& sample : samples.all) {
    const Index number = static_cast<Index>(result.all.size());
    Example example = At(where, sample, [&] {
      if (!HasAnswer(sample)) return Example();
      const auto segments = models::Render(encoding.chat, Messages(samples.kind, sample, encoding.chat.format));
      return MakeExample(models::Encode(encoding.chat, tokenizer, segments), number, encoding.mask_prompts);
    });
    if (static_cast<Index>(example.inputs.size()) > encoding.length) {
      ++result.counts.truncated;
      Cut(example.inputs, encoding.length);
      Cut(example.targets, encoding.length);
    }
    if (!HasTarget(example)) {
      ++result.counts.skipped;
      example = {};
    }
    result.all.push_back(std::move(example));
  }
  return result;
}

void SampleCounts::Add(const SampleCounts& other) {
  truncated += other.truncated;
  skipped += other.skipped;
  tool_calls += other.tool_calls;
}

std::string Describe(const SampleCounts& counts) {
  return std::to_string(counts.truncated) + " cut at the sequence length, " + std::to_string(counts.skipped) +
         " skipped, as no answer was left" + ToolCalls(counts.tool_calls);
}

Index RequireSamples(const Examples& examples, Index least, Index length, const std::string& where) {
  const auto count = std::ranges::count_if(examples.all, [](const Example& e) { return !e.inputs.empty(); });
  if (count >= least) return count;
  throw std::runtime_error(where + ": expected at least " + std::to_string(least) + " sample" + (least > 1 ? "s" : "") +
                           " with an answer within " + std::to_string(length) + " tokens, found " +
                           std::to_string(count) + ToolCalls(examples.counts.tool_calls));
}

std::vector<Example> WithoutSkipped(std::vector<Example> examples) {
  std::erase_if(examples, [](const Example& example) { return example.inputs.empty(); });
  return examples;
}

Question LastQuestion(SampleKind kind, const Sample& sample, const models::ChatTemplate& chat,
                      const models::Tokenizer& tokenizer, const std::string& where) {
  return At(where, sample, [&] {
    std::vector<models::Message> messages = Messages(kind, sample, chat.format);
    while (messages.back().role != models::Role::kAssistant || !messages.back().is_learned) messages.pop_back();
    const std::string answer = messages.back().content;
    messages.pop_back();
    return Question{models::Encode(chat, tokenizer, models::RenderPrompt(chat, messages)).ids, answer};
  });
}

Batch Padded(const std::vector<const Example*>& examples) {
  size_t longest = 0;
  for (const Example* example : examples) longest = std::max(longest, example->inputs.size());
  Batch batch{static_cast<Index>(longest), {}, {}};
  for (const Example* example : examples) {
    batch.inputs.insert(batch.inputs.end(), example->inputs.begin(), example->inputs.end());
    batch.targets.insert(batch.targets.end(), example->targets.begin(), example->targets.end());
    batch.inputs.resize(batch.inputs.size() + longest - example->inputs.size(), kPadding);
    batch.targets.resize(batch.inputs.size(), ops::kIgnored);
  }
  return batch;
}

Batch SideBySide(const std::vector<const Example*>& examples) {
  Batch batch;
  std::vector<Index> borders = {0};
  for (const Example* example : examples) {
    batch.length = std::max(batch.length, static_cast<Index>(example->inputs.size()));
    batch.inputs.insert(batch.inputs.end(), example->inputs.begin(), example->inputs.end());
    batch.targets.insert(batch.targets.end(), example->targets.begin(), example->targets.end());
    borders.push_back(batch.tokens());
  }
  batch.borders = std::make_shared<const std::vector<Index>>(std::move(borders));
  return batch;
}

std::vector<Batch> CutIntoBatches(const std::vector<Example>& examples, Index batch) {
  const Index count = static_cast<Index>(examples.size());
  std::vector<Batch> batches;
  for (Index begin = 0; begin < count; begin += batch) {
    std::vector<const Example*> members;
    for (Index i = begin; i < std::min(count, begin + batch); ++i) members.push_back(&examples[i]);
    batches.push_back(Padded(members));
  }
  return batches;
}

std::vector<std::vector<Index>> Pack(const std::vector<Index>& lengths, Index capacity) {
  std::vector<Index> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<Index>> rows;
  std::set<std::pair<Index, Index>> room;  // {tokens that are free, row}
  for (const Index i : order) {
    const auto fullest = room.lower_bound({lengths[i], 0});
    auto [free, row] = fullest == room.end() ? std::pair{capacity, static_cast<Index>(rows.size())} : *fullest;
    if (fullest == room.end()) {
      rows.emplace_back();
    } else {
      room.erase(fullest);
    }
    rows[row].push_back(i);
    room.insert({free - lengths[i], row});
  }
  return rows;
}

}  // namespace ampgrad::train
