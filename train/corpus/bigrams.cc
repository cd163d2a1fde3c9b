#include "train/corpus/bigrams.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "train/data/data_file.h"

namespace ampgrad::corpus {

std::vector<int> Bigrams::Seen() const {
  std::vector<int> seen;
  for (size_t id = 0; id < unigrams.size(); ++id) {
    if (unigrams[id] > 0) seen.push_back(static_cast<int>(id));
  }
  return seen;
}

Bigrams CountBigrams(const std::vector<int>& ids, Index vocabulary) {
  if (ids.size() < 2) {
    throw std::invalid_argument("[corpus] expected a text of at least 2 tokens, found " + std::to_string(ids.size()));
  }
  Bigrams counts{std::vector<Index>(static_cast<size_t>(vocabulary), 0), {}, static_cast<Index>(ids.size())};
  for (const int id : ids) {
    if (id < 0 || id >= vocabulary) {
      throw std::invalid_argument("[corpus] expected ids in 0.." + std::to_string(vocabulary - 1) + ", found " +
                                  std::to_string(id));
    }
    ++counts.unigrams[static_cast<size_t>(id)];
  }
  // A sorted list of pairs takes 8 bytes a token, whatever the vocabulary; equal pairs then stand together.
  std::vector<uint64_t> keys(ids.size() - 1);
  for (size_t i = 0; i < keys.size(); ++i) {
    keys[i] = static_cast<uint64_t>(ids[i]) << 32 | static_cast<uint64_t>(ids[i + 1]);
  }
  std::sort(keys.begin(), keys.end());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i == 0 || keys[i] != keys[i - 1]) {
      counts.pairs.push_back({static_cast<int>(keys[i] >> 32), static_cast<int>(keys[i] & 0xFFFFFFFF), 0});
    }
    ++counts.pairs.back().count;
  }
  return counts;
}

std::vector<int> TextIds(const std::string& text, const models::Tokenizer& tokenizer, const std::string& where) {
  train::RequireText(text, where);
  try {
    return tokenizer.Encode(text);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(where + ": " + error.what());
  }
}

}  // namespace ampgrad::corpus
