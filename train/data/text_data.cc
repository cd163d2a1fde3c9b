#include "train/data/text_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <stdexcept>

#include "tensor/random.h"
#include "train/data/data_file.h"

namespace ampgrad::train {
namespace {

constexpr Index kMaxHeldOutWindows = 64;
constexpr uint64_t kWindowStream = 0x77696E646F77;  // "window"

// Appends the window of `length` tokens that starts at `begin`.
void AddWindow(const std::vector<int>& ids, Index begin, Index length, Batch& batch) {
  const auto first = ids.begin() + begin;
  batch.inputs.insert(batch.inputs.end(), first, first + length);
  batch.targets.insert(batch.targets.end(), first + 1, first + length + 1);
}

}  // namespace

Data TextData(const std::string& text, const models::Tokenizer& tokenizer, Index length, Index batch, uint64_t seed,
              const std::string& where) {
  RequireText(text, where);
  const auto ids = std::make_shared<const std::vector<int>>(tokenizer.Encode(text));
  const Index total = static_cast<Index>(ids->size());
  const Index windows = std::clamp<Index>(total / 20 / (length + 1), 1, kMaxHeldOutWindows);
  const Index train_end = total - windows * (length + 1);
  if (train_end < length + 1) {
    throw std::runtime_error(where + ": expected at least " + std::to_string(2 * (length + 1)) +
                             " tokens, one sequence to train on and one held out, found " + std::to_string(total));
  }

  Data data;
  data.samples = train_end / length;
  data.train = [=](Index step) {
    const Random random(seed, kWindowStream);
    Batch result{length, {}, {}};
    for (Index i = 0; i < batch; ++i) {
      AddWindow(*ids, random.Below(static_cast<uint64_t>(step * batch + i), train_end - length), length, result);
    }
    return result;
  };
  for (Index i = 0; i < windows; ++i) {
    if (i % batch == 0) data.held_out.push_back({length, {}, {}});
    AddWindow(*ids, train_end + i * (length + 1), length, data.held_out.back());
  }
  return data;
}

std::vector<Batch> TextWindows(const std::string& text, const models::Tokenizer& tokenizer, Index length, Index batch,
                               Index most, const std::string& where) {
  RequireText(text, where);
  std::vector<int> ids = tokenizer.prefix();
  const std::vector<int> read = tokenizer.Encode(text);
  ids.insert(ids.end(), read.begin(), read.end());
  const Index targets = std::min(static_cast<Index>(ids.size()) - 1, most * length);
  if (targets < 1) throw std::runtime_error(where + ": expected a text of at least 2 tokens");
  std::vector<Batch> batches;
  for (Index begin = 0; begin < targets; begin += length) {
    const Index size = std::min(length, targets - begin);
    const bool fits = !batches.empty() && batches.back().length == size && batches.back().sequences() < batch;
    if (!fits) batches.push_back({size, {}, {}});
    AddWindow(ids, begin, size, batches.back());
  }
  return batches;
}

double UnigramEntropy(const std::string& text) {
  std::array<double, 256> count{};
  for (const char c : text) ++count[static_cast<unsigned char>(c)];
  double entropy = 0;
  for (const double n : count) {
    if (n > 0) entropy -= n / static_cast<double>(text.size()) * std::log(n / static_cast<double>(text.size()));
  }
  return entropy;
}

}  // namespace ampgrad::train
