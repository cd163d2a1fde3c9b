#include "train/study/hidden_cache.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "tensor/io/digest.h"
#include "tensor/io/note.h"

namespace ampgrad::train {
namespace {

// Whether a pass multiplies by the weight as it is: a form that adds an update may draw noise.
bool IsPlain(const nn::Matrix* matrix) {
  const std::string_view form = matrix->form->Name();
  return form == "frozen" || form == "dense";
}

// The highest block, up to `most`, below which nothing trains and every matrix is plain.
Index FirstBlock(models::LanguageModel& model, Index most) {
  const Index last = std::min(most, models::FirstTrainedBlock(model));
  for (Index block = 0; block < last; ++block) {
    if (!std::ranges::all_of(models::PartsBefore(model, block + 1).matrices, IsPlain)) return block;
  }
  return last;
}

void Append(std::string& key, const void* data, size_t size) { key.append(static_cast<const char*>(data), size); }

void Append(std::string& key, Index number) { Append(key, &number, sizeof number); }

}  // namespace

// The weights below the block, and with them the block, by a hash; and the batch itself, which is short beside what is
// kept for it.
std::string HiddenCache::KeyOf(models::LanguageModel& model, Index block, const Batch& batch) {
  io::Digest weights;
  weights.Add(model.Config().dump());
  const nn::Parts below = models::PartsBefore(model, block);
  for (const nn::Matrix* matrix : below.matrices) {
    const StoredTensor weight = matrix->form->Merged();
    weights.Add(matrix->form->Name());
    if (weight.tensor().empty()) {  // kept as stored: it never changes, and reading all of it would take long
      const void* const address = known_.emplace(weight.data(), weight).first->first;
      weights.Add(&address, sizeof address);
    } else {
      weights.Add(weight.data(), static_cast<size_t>(weight.bytes()));
    }
  }
  for (const Param* vector : below.vectors) {
    weights.Add(vector->value.data(), static_cast<size_t>(vector->value.size()) * sizeof(Real));
  }
  std::string key = weights.Text();
  for (const Index number : {batch.length, batch.tokens()}) Append(key, number);
  Append(key, batch.inputs.data(), batch.inputs.size() * sizeof(int));
  if (batch.borders) Append(key, batch.borders->data(), batch.borders->size() * sizeof(Index));
  return key;
}

// What comes first stays in memory: every run goes through the same batches in the same order.
void HiddenCache::Keep(const std::string& key, const Tensor& hidden) {
  const Index bytes = hidden.size() * static_cast<Index>(sizeof(Real));
  if (bytes_ + bytes <= limits_.bytes) {
    kept_.emplace(key, hidden);
    bytes_ += bytes;
    return;
  }
  if (full_) return;
  try {
    kept_.emplace(key, spilled_.Add(hidden));
  } catch (const std::runtime_error& error) {
    full_ = true;
    io::Note(std::string(error.what()) + "; further activations of frozen layers are computed anew by each run");
  }
}

std::optional<HiddenState> HiddenCache::Find(models::LanguageModel& model, const Batch& batch) {
  const Index block = FirstBlock(model, limits_.block);
  if (block == 0) return std::nullopt;
  const std::string key = KeyOf(model, block, batch);
  if (const auto kept = kept_.find(key); kept != kept_.end()) {
    ++found_;
    return HiddenState{block, kept->second.Widened()};
  }
  ++computed_;
  const Tensor hidden = model.HiddenBefore(block, batch.inputs, batch.length, batch.borders);
  Keep(key, hidden);
  return HiddenState{block, hidden};
}

}  // namespace ampgrad::train
