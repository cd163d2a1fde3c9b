#include "train/pair_data.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "autograd/ops.h"
#include "models/json_file.h"
#include "tensor/random.h"

namespace ampgrad::train {
namespace {

constexpr Index kMaxPart = 128;
constexpr uint64_t kSplitStream = 0x73706C6974;  // "split"
constexpr uint64_t kEpochStream = 1u << 20;      // + epoch

struct Example {
  std::vector<int> inputs, targets;
};

// The string under `key`, or an exception that names the line.
std::string NonEmptyField(const nlohmann::json& line, const char* key, const std::string& where) {
  const auto it = line.find(key);
  if (it == line.end() || !it->is_string()) {
    throw std::runtime_error(where + ": expected a string under \"" + key + "\", found " +
                             (it == line.end() ? "no such key" : it->type_name()));
  }
  if (it->get<std::string>().empty()) throw std::runtime_error(where + ": the " + key + " is empty");
  return it->get<std::string>();
}

Example MakeExample(const Pair& pair, const models::Tokenizer& tokenizer) {
  std::vector<int> ids = tokenizer.Encode(pair.prompt);
  const size_t prompt = ids.size();
  const std::vector<int> completion = tokenizer.Encode(pair.completion);
  ids.insert(ids.end(), completion.begin(), completion.end());
  ids.push_back(models::Tokenizer::kEndOfText);
  Example example{{ids.begin(), ids.end() - 1}, {ids.begin() + 1, ids.end()}};
  // targets[n] is token n + 1, so the first completion token is the target at prompt − 1.
  if (prompt > 1) std::fill_n(example.targets.begin(), prompt - 1, ops::kIgnored);
  return example;
}

Batch PadToBatch(const std::vector<const Example*>& examples) {
  size_t longest = 0;
  for (const Example* example : examples) longest = std::max(longest, example->inputs.size());
  Batch batch{static_cast<Index>(longest), {}, {}};
  for (const Example* example : examples) {
    batch.inputs.insert(batch.inputs.end(), example->inputs.begin(), example->inputs.end());
    batch.targets.insert(batch.targets.end(), example->targets.begin(), example->targets.end());
    batch.inputs.resize(batch.inputs.size() + longest - example->inputs.size(), models::Tokenizer::kEndOfText);
    batch.targets.resize(batch.inputs.size(), ops::kIgnored);
  }
  return batch;
}

std::vector<Batch> CutIntoBatches(const std::vector<Example>& examples, Index begin, Index end, Index batch) {
  std::vector<Batch> batches;
  for (Index i = begin; i < end; i += batch) {
    std::vector<const Example*> members;
    for (Index j = i; j < std::min(end, i + batch); ++j) members.push_back(&examples[j]);
    batches.push_back(PadToBatch(members));
  }
  return batches;
}

}  // namespace

std::string QuestionPrompt(const std::string& question) { return "Question: " + question + "\nAnswer: "; }

std::vector<Pair> ReadPairs(const std::filesystem::path& path) {
  const std::string text = models::ReadTextFile(path);
  std::string_view rest = text;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);

  std::vector<Pair> pairs;
  std::string shape;
  for (Index number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    const nlohmann::json json = models::ParseJson(line, where);
    if (!json.is_object()) throw std::runtime_error(where + ": expected a JSON object, found " + json.type_name());
    const std::string found = json.contains("question") ? "question" : json.contains("prompt") ? "prompt" : shape;
    if (!shape.empty() && found != shape) {
      throw std::runtime_error(where + ": expected a " + shape + " as in the lines above, found a " + found);
    }
    shape = found.empty() ? "prompt" : found;
    const bool question = shape == "question";
    const std::string first = NonEmptyField(json, question ? "question" : "prompt", where);
    const std::string second = NonEmptyField(json, question ? "answer" : "completion", where);
    pairs.push_back({question ? QuestionPrompt(first) : first, second});
  }
  if (pairs.empty()) throw std::runtime_error(path.string() + ": there is no prompt/completion pair in it");
  return pairs;
}

PairData MakePairData(const std::vector<Pair>& pairs, const models::Tokenizer& tokenizer, Index length, Index batch,
                      uint64_t seed, const std::string& where) {
  PairData result{};
  auto examples = std::make_shared<std::vector<Example>>();
  for (const Index i : Random(seed, kSplitStream).Permutation(static_cast<Index>(pairs.size()))) {
    Example example = MakeExample(pairs[i], tokenizer);
    if (static_cast<Index>(example.inputs.size()) > length) {
      ++result.truncated;
      example.inputs.resize(length);
      example.targets.resize(length);
      if (std::all_of(example.targets.begin(), example.targets.end(), [](int t) { return t == ops::kIgnored; })) {
        ++result.skipped;
        continue;
      }
    }
    examples->push_back(std::move(example));
  }
  const Index total = static_cast<Index>(examples->size());
  const Index part = std::clamp<Index>(total / 10, 1, kMaxPart);
  if (total < 2 * part + 1) {
    throw std::runtime_error(where + ": expected at least 3 pairs with an answer within " + std::to_string(length) +
                             " tokens, found " + std::to_string(total));
  }
  result.held_out = result.validation = part;
  result.train = total - 2 * part;
  result.data.held_out = CutIntoBatches(*examples, 0, part, batch);
  result.data.validation = CutIntoBatches(*examples, part, 2 * part, batch);
  const Index first = 2 * part, count = result.train;
  result.data.train = [=](Index step) {
    std::vector<const Example*> members;
    std::vector<Index> order;
    for (Index n = step * batch, epoch = -1; n < (step + 1) * batch; ++n) {
      if (n / count != epoch) {
        epoch = n / count;
        order = Random(seed, kEpochStream + static_cast<uint64_t>(epoch)).Permutation(count);
      }
      members.push_back(&(*examples)[first + order[n % count]]);
    }
    return PadToBatch(members);
  };
  return result;
}

}  // namespace ampgrad::train
