#include "train/data/chat_data.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "tensor/random.h"
#include "train/data/examples.h"
#include "train/data/wording.h"

namespace ampgrad::train {
namespace {

constexpr Index kMaxPart = 128;
constexpr uint64_t kSplitStream = 0x73706C6974;  // "split"
constexpr uint64_t kEpochStream = 1u << 20;      // + epoch

Index Tokens(const Example& example) { return static_cast<Index>(example.inputs.size()); }

// The examples that have tokens, in the order of a seeded shuffle.
std::vector<Example> Shuffled(std::vector<Example> all, uint64_t seed) {
  std::vector<Example> examples;
  for (const Index i : Random(seed, kSplitStream).Permutation(static_cast<Index>(all.size()))) {
    if (Tokens(all[i]) > 0) examples.push_back(std::move(all[i]));
  }
  return examples;
}

// Packs: what a step takes `batch` of. Each holds one sample or, with --pack, as many as fit side by side.
std::vector<std::vector<Index>> Packs(const std::vector<Example>& examples, const ChatSource& source) {
  std::vector<Index> lengths;
  std::vector<std::vector<Index>> single;
  for (const Example& example : examples) {
    single.push_back({static_cast<Index>(lengths.size())});
    lengths.push_back(Tokens(example));
  }
  return source.pack ? Pack(lengths, source.length) : single;
}

// Makes the training part of these examples.
void Train(std::vector<Example> all, const ChatSource& source, ChatData& result) {
  const auto packs = std::make_shared<const std::vector<std::vector<Index>>>(Packs(all, source));
  const auto examples = std::make_shared<const std::vector<Example>>(std::move(all));
  result.train = static_cast<Index>(examples->size());
  result.data.samples = static_cast<Index>(packs->size());
  for (const std::vector<Index>& one : *packs) {
    Index tokens = 0;
    for (const Index i : one) tokens += Tokens((*examples)[i]);
    result.longest = std::max(result.longest, tokens);
  }
  const Index count = result.data.samples, batch = source.batch;
  result.data.train = [=, seed = source.seed, pack = source.pack](Index step) {
    std::vector<const Example*> members;
    std::vector<Index> order;
    for (Index n = step * batch, epoch = -1; n < (step + 1) * batch; ++n) {
      if (n / count != epoch) {
        epoch = n / count;
        order = Random(seed, kEpochStream + static_cast<uint64_t>(epoch)).Permutation(count);
      }
      for (const Index i : (*packs)[order[n % count]]) members.push_back(&(*examples)[i]);
    }
    return pack ? SideBySide(members) : Padded(members);
  };
}

void AddCounts(const Examples& examples, ChatData& result) {
  result.counts.Add(examples.counts);
  for (const Example& example : examples.all) result.longest = std::max(result.longest, Tokens(example));
}

// Divides the examples into three parts. Of the source, only how they are cut and drawn matters here.
ChatData Divide(Examples read, const ChatSource& source, const std::string& where) {
  ChatData result{};
  result.chat = read.chat;
  AddCounts(read, result);
  const Index part = std::clamp<Index>(RequireSamples(read, 3, source.length, where) / 10, 1, kMaxPart);
  std::vector<Example> examples = Shuffled(std::move(read.all), source.seed);
  const auto first = examples.begin();
  result.held_out = result.validation = part;
  for (auto example = first; example != first + part; ++example) result.held_out_samples.push_back(example->sample);
  result.data.held_out = CutIntoBatches({first, first + part}, source.batch);
  result.data.validation = CutIntoBatches({first + part, first + 2 * part}, source.batch);
  examples.erase(first, first + 2 * part);
  Train(std::move(examples), source, result);
  return result;
}

// All of `read` is trained on, and all of `held_out` is held out.
ChatData Join(Examples read, const Examples& held_out, const ChatSource& source, const std::string& where) {
  ChatData result{};
  result.chat = read.chat;
  AddCounts(read, result);
  AddCounts(held_out, result);
  RequireSamples(read, 1, source.length, where);
  result.held_out = RequireSamples(held_out, 1, source.length, source.held_out.string());
  result.data.held_out = CutIntoBatches(WithoutSkipped(held_out.all), source.batch);
  Train(Shuffled(std::move(read.all), source.seed), source, result);
  return result;
}

// The examples of one file after another, in the one template that they share.
class Reader {
 public:
  Reader(const ChatSource& source, const models::Tokenizer& tokenizer) : source_(source), tokenizer_(tokenizer) {}

  void Add(const std::filesystem::path& file, Examples& all) {
    const Samples samples = ReadSamples(file);
    const auto chat = ChooseTemplate(source_.template_name, samples.kind, source_.model, tokenizer_);
    if (samples.kind != SampleKind::kText) Agree(chat, file);
    Examples read = EncodeSamples(samples, {chat, source_.length, source_.mask_prompts}, tokenizer_, file.string());
    all.counts.Add(read.counts);
    std::ranges::move(read.all, std::back_inserter(all.all));
    all.chat = chat_.value_or(chat);
  }

 private:
  void Agree(const models::ChatTemplate& chat, const std::filesystem::path& file) {
    if (!chat_) {
      chat_ = chat;
      first_ = file;
    }
    if (chat_->format == chat.format) return;
    throw std::runtime_error(file.string() + ": expected the template " + models::ToString(chat_->format) + " of " +
                             first_.string() + ", found " + models::ToString(chat.format) +
                             "; --template NAME sets one for both");
  }

  const ChatSource& source_;
  const models::Tokenizer& tokenizer_;
  std::optional<models::ChatTemplate> chat_;  // of the first file that is not plain text
  std::filesystem::path first_;
};

}  // namespace

std::string Describe(const ChatData& data) {
  return std::to_string(data.train) + " samples to train on, " +
         (data.data.samples < data.train ? "packed into " + std::to_string(data.data.samples) + " packs, " : "") +
         (data.validation > 0 ? std::to_string(data.validation) + " for choosing rates, " : "") +
         std::to_string(data.held_out) + " held out; " + Describe(data.counts);
}

ChatData MakeChatData(const Samples& samples, const models::ChatTemplate& chat, const models::Tokenizer& tokenizer,
                      Index length, Index batch, uint64_t seed, const std::string& where) {
  return Divide(EncodeSamples(samples, {chat, length}, tokenizer, where), {{}, {}, "", length, batch, seed}, where);
}

ChatData ReadChatData(const ChatSource& source, const models::Tokenizer& tokenizer) {
  Reader reader(source, tokenizer);
  Examples all, held_out;
  std::string where;
  for (const std::filesystem::path& file : source.files) {
    reader.Add(file, all);
    where += (where.empty() ? "" : ", ") + file.string();
  }
  if (source.held_out.empty()) return Divide(std::move(all), source, where);
  reader.Add(source.held_out, held_out);
  return Join(std::move(all), held_out, source, where);
}

}  // namespace ampgrad::train
