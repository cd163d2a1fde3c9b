#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ct/rows.h"
#include "models/gpt.h"
#include "models/llama.h"
#include "nn/forms/dense.h"
#include "nn/forms/frozen.h"
#include "tensor/random.h"
#include "tests/support/mean_loss.h"
#include "tests/support/stored.h"

/// Matrices and models small enough for tests.
namespace ampgrad {

inline constexpr ops::Layout kLayouts[] = {ops::Layout::kOutIn, ops::Layout::kInOut};

/// A dense matrix of a block that holds `stored` in the given layout.
inline std::unique_ptr<nn::Matrix> MakeMatrix(const std::string& name, ops::Layout layout, const Tensor& stored,
                                              nn::MatrixKind kind = nn::MatrixKind::kBlock) {
  const bool out_in = layout == ops::Layout::kOutIn;
  auto matrix = std::make_unique<nn::Matrix>(name, kind, layout, out_in ? stored.rows() : stored.cols(),
                                             out_in ? stored.cols() : stored.rows());
  matrix->form = std::make_unique<nn::Dense>(name, stored, layout);
  return matrix;
}

/// The rows of `stored` [rows, d] as a source of rows, for tests that have no model.
inline ct::RowSource SourceOf(nn::Matrix& matrix, int repeats = 1) {
  return {&matrix, ops::Layout::kOutIn, matrix.out, repeats};
}

/// All block matrices of `model`, by rows.
inline std::vector<ct::RowSource> BlockRows(models::LanguageModel& model) {
  return ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
}

inline models::GptConfig TinyConfig(bool tied = true) {
  models::GptConfig config;
  config.vocab_size = 23;
  config.n_positions = 12;
  config.n_embd = 16;
  config.n_layer = 2;
  config.n_head = 2;
  config.tie_word_embeddings = tied;
  config.special_tokens = {0, {0}};
  return config;
}

/// Sets every matrix of `model` to zeros.
inline void SetZero(models::LanguageModel& model) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    matrix->form = std::make_unique<nn::Dense>(matrix->name, Tensor(matrix->StoredShape()), matrix->layout);
  }
}

/// Fills all matrices and vectors of `model` with random values, norms and biases too, so that no gradient term is 0.
inline void Randomise(models::LanguageModel& model, uint64_t seed) {
  uint64_t stream = 0;
  const nn::Parts parts = model.Parts();
  for (nn::Matrix* matrix : parts.matrices) {
    matrix->form = std::make_unique<nn::Dense>(
        matrix->name, Random(seed, stream++).NormalTensor(matrix->StoredShape(), 0.2), matrix->layout);
  }
  for (Param* vector : parts.vectors) {
    const Tensor noise = Random(seed, stream++).NormalTensor(vector->value.shape(), 0.1);
    for (Index i = 0; i < noise.size(); ++i) vector->value[i] += noise[i];
  }
}

inline std::unique_ptr<models::Gpt> TinyGpt(uint64_t seed, bool tied = true) {
  auto model = std::make_unique<models::Gpt>(TinyConfig(tied));
  Randomise(*model, seed);
  return model;
}

/// Two query heads on each of two key/value heads of four columns.
inline models::LlamaConfig LittleLlamaConfig(bool tied = false) {
  models::LlamaConfig config;
  config.vocab_size = 23;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = 12;
  config.rms_norm_eps = 1e-5;
  config.tie_word_embeddings = tied;
  config.special_tokens = {1, {2}};
  return config;
}

inline std::unique_ptr<models::Llama> LittleLlama(uint64_t seed, bool tied = false) {
  auto model = std::make_unique<models::Llama>(LittleLlamaConfig(tied));
  Randomise(*model, seed);
  return model;
}

/// A small model of each family, for tests of what must hold for any model.
inline std::vector<std::unique_ptr<models::LanguageModel>> BothFamilies(uint64_t seed, bool tied) {
  std::vector<std::unique_ptr<models::LanguageModel>> models;
  models.push_back(TinyGpt(seed, tied));
  models.push_back(LittleLlama(seed, tied));
  return models;
}

/// Rounds every matrix of `model` to half width and freezes it.
inline void HoldAtHalfWidth(models::LanguageModel& model) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    matrix->form =
        std::make_unique<nn::Frozen>(Rounded(matrix->form->Merged().Widened(), StoredType::kBf16), matrix->layout);
  }
}

/// Rounds all parameters of `model` to float, as files store them, whatever Real is.
inline void RoundToFloat(models::LanguageModel& model) {
  for (Param* param : models::Parameters(model)) {
    for (Real& x : param->value) x = static_cast<Real>(static_cast<float>(x));
  }
}

/// Random ids below `vocabulary`; another seed for targets.
inline std::vector<int> RandomIds(Index count, Index vocabulary, uint64_t seed) {
  std::vector<int> ids;
  for (Index i = 0; i < count; ++i) {
    ids.push_back(static_cast<int>(Random(seed, 0x696473).Below(static_cast<uint64_t>(i), vocabulary)));
  }
  return ids;
}

inline Tensor LogitsOf(models::LanguageModel& model, const std::vector<int>& ids, Index length) {
  Tape tape(Tape::Mode::kInference);
  return model.Logits(tape, ids, length).value;
}

/// Bytes that a forward pass keeps for the backward pass, logits included.
inline Index KeptBytes(models::LanguageModel& model, const std::vector<int>& ids, Index length) {
  LogitsOf(model, ids, length);  // allocates work spaces, which stay
  const Index before = Tensor::LiveBytes();
  Tape tape;
  const Var logits = model.Logits(tape, ids, length);
  return Tensor::LiveBytes() - before;
}

/// The matrix of that name; null when there is none.
inline nn::Matrix* FindMatrix(models::LanguageModel& model, const std::string& name) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    if (matrix->name == name) return matrix;
  }
  return nullptr;
}

inline bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size()) * sizeof(Real)) == 0;
}

}  // namespace ampgrad
