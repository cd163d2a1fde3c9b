#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/tensor.h"

/// Models of real shapes with made-up weights, for measurements of time and memory and for tests without a checkpoint.
namespace ampgrad::models {

/// How the values of a tensor are made.
enum class SynthKind {
  kRows,     // a matrix whose rows, of the model's width d, mix directions shared by all matrices
  kColumns,  // the same for columns
  kOnes,
  kZeros,
};

struct SynthTensor {
  std::string name;
  Shape shape;
  SynthKind kind;
};

/// What a made-up model consists of.
struct SynthModel {
  std::string config;  // the content of config.json
  Index width;
  std::vector<SynthTensor> tensors;  // of model.safetensors

  Index CountParameters() const;
};

/// The names that `SynthPreset` knows.
std::vector<std::string> SynthPresets();

/// "tinyllama": exactly the shape of TinyLlama-1.1B. "llama-7b": that of Llama-2-7B. "gpt2": GPT-2's smallest. "tiny":
/// a Llama of two layers for tests. Throws std::invalid_argument for another name.
SynthModel SynthPreset(const std::string& name);

/// The numbers of a tensor, by its place in the list. Weights have standard deviation 0.02. Three quarters of their
/// variance lie in d/4 directions (at most 256) shared by all matrices; the variance along direction i is proportional
/// to 1/(1 + i). The rest is white noise. The bits depend only on the seed, whatever the number of threads.
Tensor SynthNumbers(const SynthModel& model, size_t index, uint64_t seed);

/// Writes config.json, model.safetensors (BF16) and the tokenizer.json of single bytes into an existing directory. One
/// tensor at a time is in memory. Throws std::runtime_error when writing fails.
void WriteSynthModel(const SynthModel& model, uint64_t seed, const std::filesystem::path& directory);

}  // namespace ampgrad::models
