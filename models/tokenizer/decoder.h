#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// One step of a decoder, in a chain of steps. It receives the tokens of a text one by one, each in one or more parts,
/// and passes its result to the next step as soon as no later token can change it.
class DecoderStep {
 public:
  explicit DecoderStep(std::unique_ptr<DecoderStep> next) : next_(std::move(next)) {}
  virtual ~DecoderStep() = default;

  /// Receives a part of the current token.
  virtual void Text(std::string_view part) = 0;
  virtual void EndToken() = 0;
  /// There are no more tokens.
  virtual void Finish() = 0;

 protected:
  std::unique_ptr<DecoderStep> next_;
};

/// The decoder of a tokenizer.json: how tokens become text.
class Decoder {
 public:
  /// Reads null, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace or a Sequence of these; throws
  /// std::runtime_error naming any other.
  explicit Decoder(const io::JsonValue& item);

  /// The chain of steps for the tokens of one text. It appends to `text`, which must outlive it.
  std::unique_ptr<DecoderStep> Start(std::string& text) const;

 private:
  using MakeStep = std::function<std::unique_ptr<DecoderStep>(std::unique_ptr<DecoderStep> next)>;
  std::vector<MakeStep> steps_;
};

}  // namespace ampgrad::models
