#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "nn/kv_cache.h"
#include "nn/modules.h"

namespace ampgrad::models {

/// Whether a new model has its vectors (`nn::MakeVectors`) or awaits them from a file, as it awaits its matrices.
enum class Vectors { kMade, kAbsent };

/// A causal language model, as training, analysis and generation see it: an embedding, a stack of blocks, a head. The
/// same forward pass serves all three.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  /// Logits [N, V] of `ids` [N], which are sequences of `length` tokens, one after another, or of at most `length`
  /// where `borders` cut them. Positions begin anew in each. Throws std::invalid_argument when `length` is not in
  /// 1..context(), an id is outside the vocabulary, or the borders do not rise from 0 to N by at most `length`.
  Var Logits(Tape& tape, const std::vector<int>& ids, Index length, const ops::Borders& borders = nullptr);
  /// The first half of Logits, without recording: the residual stream [N, C] before block `block`, 0..layers(). Before
  /// block 0 it is what the embedding gives, before block layers() what the head reads. Throws as Logits does, and
  /// std::invalid_argument for another block.
  Tensor HiddenBefore(Index block, const std::vector<int>& ids, Index length, const ops::Borders& borders = nullptr);
  /// The second half: logits [N, V] from the residual stream `hidden` [N, C] before block `block`. It is a constant, so
  /// nothing below is trained. Where nothing below trains anyway, the two halves have the bits of Logits, and so do the
  /// gradients. Throws std::invalid_argument for another block or width.
  Var LogitsFrom(Tape& tape, Index block, const Tensor& hidden, Index length, const ops::Borders& borders = nullptr);
  /// An empty cache for one sequence of at most `positions` tokens, positions <= context().
  nn::KvCache MakeCache(Index positions) const { return {layers(), positions, kv_width()}; }
  /// Logits [1, V] of the token after `ids`. The ids follow the tokens in the cache and are added to it: a whole prompt
  /// at once, then token by token. The result is the last row of Logits of the whole sequence: bit for bit as long as
  /// no product uses tiles (kernels::Gemm), to rounding where one does.
  /// Throws std::invalid_argument when `ids` is empty, the cache has no room, or an id is outside the vocabulary.
  Tensor NextLogits(const std::vector<int>& ids, nn::KvCache& cache);

  /// All matrices and vectors, in the order of the model.
  virtual nn::Parts Parts() = 0;
  /// The matrices and vectors of block `i`.
  virtual nn::Parts BlockParts(Index i) = 0;
  /// The matrix [V, C] that makes the logits; in a tied model the embedding.
  virtual nn::Matrix& HeadMatrix() = 0;
  /// An independent copy: same configuration, same weights, checkpointed alike. The storage of matrices without
  /// parameters is shared.
  virtual std::unique_ptr<LanguageModel> Clone() = 0;
  /// The tokens at which generation stops. They do not belong to the generated text.
  virtual std::vector<int> EndTokens() const { return {}; }
  /// The content of config.json.
  virtual nlohmann::json Config() const = 0;
  /// The prefix of the tensors' names in a checkpoint.
  virtual const char* CheckpointPrefix() const = 0;

  /// C, the hidden size, which is the d of ct.
  virtual Index width() const = 0;
  /// V, the number of rows of the embedding.
  virtual Index vocabulary() const = 0;
  /// The most tokens of a sequence.
  virtual Index context() const = 0;
  /// Number of blocks.
  virtual Index layers() const = 0;
  /// G·D: the number of values that one position's keys take in the cache of a layer.
  virtual Index kv_width() const = 0;

  /// Whether a training pass keeps only the input of each block, and runs the block again in the backward pass
  /// (`Checkpoint`).
  bool checkpoint_blocks = false;

 protected:
  /// The rotations of positions offset..offset + length − 1, shared by all blocks; empty where positions are learned.
  virtual ops::RotaryTable Rotations(Index /*length*/, Index /*offset*/) const { return {}; }
  /// The residual stream [N, C] before the first block. Token n has position `positions`[n].
  virtual Var Embed(Tape& tape, const std::vector<int>& ids, const std::vector<int>& positions) = 0;
  /// Block `i`: x [N, C] → [N, C].
  virtual Var Block(Index i, const Var& x, const nn::Sequences& sequences) = 0;
  /// The last norm and the product with the head matrix: x [N, C] → [N, V].
  virtual Var Head(const Var& x) = 0;

 private:
  struct Rows;
  Rows Arrange(Index rows, Index length, const ops::Borders& borders) const;
  Var Through(Index begin, Index end, Var x, const nn::Sequences& sequences);
  void RequireBlock(Index block) const;
};

/// All parameters: those of the matrices first, then the vectors.
std::vector<Param*> Parameters(LanguageModel& model);

/// The parameters that are trained.
std::vector<Param*> TrainableParameters(LanguageModel& model);

/// What the residual stream before block `block` is made of: the embedding's parts and those of the blocks below.
nn::Parts PartsBefore(LanguageModel& model, Index block);

/// The lowest block that has a parameter that trains. 0 where the embedding trains, be it as a tied head; layers()
/// where no block has one. The residual stream before this block does not change while the model trains.
Index FirstTrainedBlock(LanguageModel& model);

/// Marks every parameter as trained or as frozen. With `trainable`, a matrix without parameters becomes dense first.
void SetTrainable(LanguageModel& model, bool trainable);

/// Number of elements of `params`.
Index CountParameters(const std::vector<Param*>& params);
/// Number of elements of the model's matrices and vectors, whatever the form of each matrix.
Index CountParameters(LanguageModel& model);

}  // namespace ampgrad::models
