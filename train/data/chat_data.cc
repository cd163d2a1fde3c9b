#include "train/data/chat_data.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "autograd/ops.h"
#include "tensor/random.h"

namespace ampgrad::train {
namespace {

using models::ChatFormat;

constexpr Index kMaxPart = 128;
constexpr int kPadding = 0;  // an id that every vocabulary has; never a target, and after all targets
constexpr uint64_t kSplitStream = 0x73706C6974;  // "split"
constexpr uint64_t kEpochStream = 1u << 20;      // + epoch

struct Example {
  std::vector<int> inputs, targets;
};

// targets[n] is token n + 1 if that is a target, else kIgnored.
Example MakeExample(const models::Tokens& tokens) {
  Example example{{tokens.ids.begin(), tokens.ids.end() - 1}, {tokens.ids.begin() + 1, tokens.ids.end()}};
  for (size_t n = 0; n < example.targets.size(); ++n) {
    if (!tokens.is_target[n + 1]) example.targets[n] = ops::kIgnored;
  }
  return example;
}

// Only what is kept takes memory: one long text among many must not cost its whole length.
void Cut(std::vector<int>& ids, Index length) { ids = {ids.begin(), ids.begin() + length}; }

bool HasTarget(const Example& example) {
  return std::any_of(example.targets.begin(), example.targets.end(), [](int t) { return t != ops::kIgnored; });
}

bool HasRoles(ChatFormat format) { return format != ChatFormat::kPlain && format != ChatFormat::kAlpaca; }

// "FILE:LINE", or what there is of it.
std::string Place(const std::string& where, const Sample& sample) {
  return where + (sample.line > 0 ? ":" + std::to_string(sample.line) : "");
}

// Refuses samples that a format without roles cannot write.
void RequireRoles(const Samples& samples, ChatFormat format, const std::string& where) {
  if (samples.kind == SampleKind::kMessages || HasRoles(format)) return;
  for (const Sample& sample : samples.all) {
    if (sample.messages.size() <= 2) continue;
    throw std::runtime_error(Place(where, sample) + ": the template " + models::ToString(format) +
                             " has no roles: a system prompt or a history needs --template zephyr, chatml or llama3");
  }
}

std::vector<models::Message> Messages(SampleKind kind, const Sample& sample, ChatFormat format) {
  std::vector<models::Message> messages = sample.messages;
  if (kind != SampleKind::kMessages) messages[messages.size() - 2].content = UserText(kind, sample, format);
  return messages;
}

// The sample as the model reads it. An error of the tokenizer is reported with the sample's line.
Example MakeExample(SampleKind kind, const Sample& sample, const models::ChatTemplate& chat,
                    const models::Tokenizer& tokenizer, const std::string& where) {
  try {
    const auto segments = models::Render(chat, Messages(kind, sample, chat.format));
    return MakeExample(models::Encode(chat, tokenizer, segments));
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(Place(where, sample) + ": " + error.what());
  }
}

Batch PadToBatch(const std::vector<const Example*>& examples) {
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

std::vector<Batch> CutIntoBatches(const std::vector<Example>& examples, Index begin, Index end, Index batch) {
  std::vector<Batch> batches;
  for (Index i = begin; i < end; i += batch) {
    std::vector<const Example*> members;
    for (Index j = i; j < std::min(end, i + batch); ++j) members.push_back(&examples[j]);
    batches.push_back(PadToBatch(members));
  }
  return batches;
}

// Splits shuffled examples into the three parts.
void Split(std::vector<Example> all, Index batch, uint64_t seed, ChatData& result) {
  const auto examples = std::make_shared<const std::vector<Example>>(std::move(all));
  const Index total = static_cast<Index>(examples->size());
  const Index part = std::clamp<Index>(total / 10, 1, kMaxPart);
  result.held_out = result.validation = part;
  result.train = total - 2 * part;
  result.data.held_out = CutIntoBatches(*examples, 0, part, batch);
  result.data.validation = CutIntoBatches(*examples, part, 2 * part, batch);
  const Index first = 2 * part, count = result.data.samples = result.train;
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
}

// ", 3 skipped, as they call tools", where there are any.
std::string ToolCalls(Index count) {
  return count > 0 ? ", " + std::to_string(count) + " skipped, as they call tools" : "";
}

}  // namespace

std::string AlpacaPrompt(const std::string& instruction, const std::string& input) {
  std::string text = "Below is an instruction that describes a task";
  if (!input.empty()) text += ", paired with an input that provides further context";
  text += ". Write a response that appropriately completes the request.\n\n### Instruction:\n" + instruction + "\n\n";
  if (!input.empty()) text += "### Input:\n" + input + "\n\n";
  return text + "### Response:";
}

std::string UserText(SampleKind kind, const Sample& sample, ChatFormat format) {
  const std::string& text = sample.messages[sample.messages.size() - 2].content;
  if (format == ChatFormat::kAlpaca) return AlpacaPrompt(text, sample.input);
  if (format != ChatFormat::kPlain) return sample.input.empty() ? text : text + "\n\n" + sample.input;
  if (kind == SampleKind::kQuestion) return "Question: " + text + "\nAnswer: ";
  if (kind == SampleKind::kInstruction) return text + "\n" + (sample.input.empty() ? "" : sample.input + "\n");
  return text;
}

models::ChatTemplate ChooseTemplate(const std::string& name, SampleKind kind, const std::filesystem::path& model,
                                    const models::Tokenizer& tokenizer) {
  if (name.empty() && kind == SampleKind::kMessages) {
    if (const auto own = models::OwnTemplate(model, tokenizer)) return *own;
    throw std::runtime_error(
        model.string() +
        ": expected chat_template.jinja, or a chat_template in tokenizer_config.json, found neither; "
        "messages need --template zephyr, chatml or llama3");
  }
  const ChatFormat own = kind == SampleKind::kInstruction ? ChatFormat::kAlpaca : ChatFormat::kPlain;
  const ChatFormat format = name.empty() ? own : models::ParseChatFormat(name);
  if (kind == SampleKind::kMessages && !HasRoles(format)) {
    throw std::runtime_error("the template " + name +
                             " has no roles: messages need --template zephyr, chatml or llama3");
  }
  return models::NamedTemplate(format, model, tokenizer);
}

std::string Describe(const ChatData& data) {
  return std::to_string(data.train) + " samples to train on, " + std::to_string(data.validation) +
         " for choosing rates, " + std::to_string(data.held_out) + " held out; " + std::to_string(data.truncated) +
         " cut at the sequence length, " + std::to_string(data.skipped) + " skipped, as no answer was left" +
         ToolCalls(data.tool_calls);
}

ChatData MakeChatData(const Samples& samples, const models::ChatTemplate& chat, const models::Tokenizer& tokenizer,
                      Index length, Index batch, uint64_t seed, const std::string& where) {
  RequireRoles(samples, chat.format, where);
  ChatData result{};
  result.tool_calls = samples.tool_calls;
  result.chat = chat;
  std::vector<Example> examples;
  for (const Index i : Random(seed, kSplitStream).Permutation(static_cast<Index>(samples.all.size()))) {
    if (!HasAnswer(samples.all[i])) {
      ++result.skipped;
      continue;
    }
    Example example = MakeExample(samples.kind, samples.all[i], chat, tokenizer, where);
    if (static_cast<Index>(example.inputs.size()) > length) {
      ++result.truncated;
      Cut(example.inputs, length);
      Cut(example.targets, length);
    }
    if (HasTarget(example)) {
      result.longest = std::max(result.longest, static_cast<Index>(example.inputs.size()));
      examples.push_back(std::move(example));
    } else {
      ++result.skipped;
    }
  }
  if (examples.size() < 3) {
    throw std::runtime_error(where + ": expected at least 3 samples with an answer within " + std::to_string(length) +
                             " tokens, found " + std::to_string(examples.size()) + ToolCalls(samples.tool_calls));
  }
  Split(std::move(examples), batch, seed, result);
  return result;
}

ChatData ReadChatData(const ChatSource& source, const models::Tokenizer& tokenizer) {
  const Samples samples = ReadSamples(source.file);
  const models::ChatTemplate chat = ChooseTemplate(source.template_name, samples.kind, source.model, tokenizer);
  return MakeChatData(samples, chat, tokenizer, source.length, source.batch, source.seed, source.file.string());
}

}  // namespace ampgrad::train
