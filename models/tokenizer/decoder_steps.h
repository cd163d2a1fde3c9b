#pragma once

#include <string>
#include <string_view>

#include "models/tokenizer/decoder.h"
#include "models/tokenizer/metaspace.h"
#include "models/tokenizer/normalizer.h"

namespace ampgrad::models {

/// A step that needs each token whole.
class WholeTokenStep : public DecoderStep {
 public:
  using DecoderStep::DecoderStep;
  void Text(std::string_view part) override { token_ += part; }
  void EndToken() override;
  void Finish() override { next_->Finish(); }

 protected:
  virtual void Token(std::string token) = 0;
  /// Gives a whole token to the next step.
  void Emit(std::string_view token);

 private:
  std::string token_;
};

/// Characters of GPT-2's byte map become bytes, and these text, one U+FFFD for each run that is no UTF-8; a token with any
/// other character gives its own bytes. The result is one token.
class ByteLevelStep : public WholeTokenStep {
 public:
  using WholeTokenStep::WholeTokenStep;
  void Finish() override;

 protected:
  void Token(std::string token) override;

 private:
  void Advance(bool last);
  std::string bytes_;  // not given on yet: a character that is cut short
};

/// Each run of tokens <0xHH> becomes one token, the text that its bytes are or, if they are none, one U+FFFD for each of
/// them.
class ByteFallbackStep : public WholeTokenStep {
 public:
  using WholeTokenStep::WholeTokenStep;
  void Finish() override;

 protected:
  void Token(std::string token) override;

 private:
  void EndRun();
  std::string run_;
};

/// All tokens become one.
class FuseStep : public DecoderStep {
 public:
  using DecoderStep::DecoderStep;
  void Text(std::string_view part) override { next_->Text(part); }
  void EndToken() override {}
  void Finish() override;
};

/// Takes up to `start` characters `content` off the start of each token, up to `stop` off its end.
class StripStep : public DecoderStep {
 public:
  StripStep(std::unique_ptr<DecoderStep> next, std::string content, Index start, Index stop)
      : DecoderStep(std::move(next)), content_(std::move(content)), start_(start), stop_(stop), left_(start) {}
  void Text(std::string_view part) override;
  void EndToken() override;
  void Finish() override { next_->Finish(); }

 private:
  const std::string content_;
  const Index start_, stop_;
  Index left_;        // how many may still be taken off the start of this token; 0 once another character has come
  std::string held_;  // the part that is not given on yet
};

class ReplaceStep : public WholeTokenStep {
 public:
  ReplaceStep(std::unique_ptr<DecoderStep> next, Replacement replacement)
      : WholeTokenStep(std::move(next)), replacement_(std::move(replacement)) {}

 protected:
  void Token(std::string token) override { Emit(ReplaceAll(token, replacement_.pattern, replacement_.content)); }

 private:
  const Replacement replacement_;
};

/// The replacement character becomes a space; in the first token it falls away where the pre-tokenizer put one there.
class MetaspaceStep : public WholeTokenStep {
 public:
  MetaspaceStep(std::unique_ptr<DecoderStep> next, Metaspace metaspace)
      : WholeTokenStep(std::move(next)), metaspace_(std::move(metaspace)) {}

 protected:
  void Token(std::string token) override;

 private:
  const Metaspace metaspace_;
  bool first_ = true;
};

/// What no decoder stands for: the tokens with a space between them.
class JoinStep : public WholeTokenStep {
 public:
  using WholeTokenStep::WholeTokenStep;

 protected:
  void Token(std::string token) override;

 private:
  bool first_ = true;
};

/// The end of every chain.
class AppendStep : public DecoderStep {
 public:
  explicit AppendStep(std::string& text) : DecoderStep(nullptr), text_(text) {}
  void Text(std::string_view part) override { text_ += part; }
  void EndToken() override {}
  void Finish() override {}

 private:
  std::string& text_;
};

}  // namespace ampgrad::models
