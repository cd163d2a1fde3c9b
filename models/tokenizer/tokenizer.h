#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::models {

class DecoderStep;

/// A tokenizer as a tokenizer.json of Hugging Face describes it: a byte-pair encoding with the steps before and after
/// it. The file is followed exactly; what is not supported is refused. Copies share their state, which never changes.
class Tokenizer {
 public:
  /// The id of the byte NUL in Bytes(). No text holds this byte, so it ends the texts of models trained here, as the
  /// eos_token_id in their config.json.
  static constexpr int kEndOfText = 0;

  /// Reads a tokenizer.json. Throws std::runtime_error in one sentence when it is malformed or asks for something that
  /// is not supported.
  static Tokenizer FromFile(const std::filesystem::path& path);
  /// The same for a JSON object; `where` starts the messages.
  static Tokenizer FromJson(const nlohmann::json& json, const std::string& where);
  /// The byte-level tokenizer of models trained here: one token per byte, id = byte value, no merges.
  static Tokenizer Bytes();
  /// The JSON that it was read from. Hugging Face's tokenizers library can also read that of Bytes().
  nlohmann::json ToJson() const;

  /// Whether text that looks like a special token (</s>) becomes that token. By default it does not, so that the data
  /// of users cannot hold special tokens; prompts and templates may.
  enum class Markup { kText, kTokens };
  /// The same tokenizer for a model that has rows for ids below `rows` only: it refuses to give other ids to a text.
  Tokenizer WithRows(Index rows) const;

  /// Ids of `text`; with `add_special`, also the ids that the post-processor's template adds (BOS). Throws
  /// std::runtime_error when the text is not UTF-8, naming the byte, when a character has no token, naming it, and for
  /// a token without a row in the model, naming it.
  std::vector<int> Encode(std::string_view text, bool add_special = false, Markup markup = Markup::kText) const;
  /// The text of `ids`. Special tokens are left out if `skip_special`, and so are ids without a token, which a model
  /// may well have, as its vocabulary is often rounded up.
  std::string Decode(const std::vector<int>& ids, bool skip_special = false) const;

  /// Largest id + 1.
  Index vocabulary() const;
  /// The id of a token as the file spells it, such as "</s>".
  std::optional<int> Id(std::string_view token) const;
  /// The ids below vocabulary() that have no token.
  std::vector<int> IdsWithoutToken() const;
  /// The tokens with ids of at least `first`, for messages.
  std::vector<std::string> TokensFrom(Index first) const;
  /// The ids that the template puts before a text (BOS). Throws std::runtime_error for one without a row in the model.
  std::vector<int> prefix() const;
  /// Throws std::runtime_error, naming the token, when the model has no row for an id.
  void RequireRow(int id) const;

 private:
  friend class StreamDecoder;
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  static Tokenizer Make(nlohmann::json json, const std::string& where);
  // Feeds the token of an id to a decoder.
  void Push(int id, bool skip_special, DecoderStep& decoder) const;

  std::shared_ptr<const State> state_;
  Index rows_ = std::numeric_limits<Index>::max();  // of the model's embedding
};

/// Decodes a stream of ids one at a time. The joined results of Push and Finish are what Decode returns for all ids.
/// Text that a later token may still change is held back, such as an incomplete character.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special);
  ~StreamDecoder();
  StreamDecoder(const StreamDecoder&) = delete;

  std::string Push(int id);
  /// The rest of the text. Nothing may be pushed afterwards.
  std::string Finish();

 private:
  const Tokenizer tokenizer_;
  const bool skip_special_;
  std::string text_;  // what the decoder has written since the last call
  std::unique_ptr<DecoderStep> decoder_;
};

}  // namespace ampgrad::models
