#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "models/language_model.h"
#include "train/data/batch.h"
#include "train/study/spill_file.h"

namespace ampgrad::train {

/// The residual stream before the lowest block that trains, computed once for each batch by whichever run asks first.
/// It is found again by all that decides it: the ids of the batch and how they are cut into sequences, the block, and
/// the weights below it. So one cache may serve runs of several scopes, or with other weights below: they only find
/// nothing of each other's. Copies of one model (`LanguageModel::Clone`) do. A matrix below that is neither as it was
/// loaded nor dense counts as if it trained: a frozen adapter may drop inputs at random.
///
/// A step takes no more memory than MemoryPlan says, which knows of no sharing; what the cache holds comes to it. For
/// one thread at a time.
class HiddenCache : public HiddenSource {
 public:
  struct Limits {
    Index block;                      // passes begin there at the highest: the first block of the runs' scope
    Index bytes = Index{256} << 20;   // that are held in memory; the rest is in a file without a name
    std::filesystem::path directory;  // of that file
  };

  /// Throws std::runtime_error when the directory takes no file.
  explicit HiddenCache(const Limits& limits) : limits_(limits), spilled_(limits.directory) {}

  std::optional<HiddenState> Find(models::LanguageModel& model, const Batch& batch) override;

  /// Passes that found what they asked for, and those that had to compute it.
  Index found() const { return found_; }
  Index computed() const { return computed_; }
  /// Bytes that are held in memory, and in the file.
  Index bytes() const { return bytes_; }
  Index spilled_bytes() const { return spilled_.bytes(); }

 private:
  std::string KeyOf(models::LanguageModel& model, Index block, const Batch& batch);
  void Keep(const std::string& key, const Tensor& hidden);

  Limits limits_;
  SpillFile spilled_;
  bool full_ = false;  // the disk took no more
  Index bytes_ = 0, found_ = 0, computed_ = 0;
  std::map<std::string, StoredTensor> kept_;
  // Weights below that are known by their address, held so that no other can come to have it.
  std::map<const void*, StoredTensor> known_;
};

}  // namespace ampgrad::train
