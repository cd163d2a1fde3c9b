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
  /// Passes a whole token to the next step.
  void Emit(std::string_view token);

 private:
  std::string token_;
};

/// Characters of GPT-2's byte map become bytes, and the bytes become text, with one U+FFFD for each run that is not
/// UTF-8. A token with any other character is taken as its own bytes. The result is one token.
class ByteLevelStep : public WholeTokenStep {
 public:
  using WholeTokenStep::WholeTokenStep;
  void Finish() override;

 protected:
  void Token(std::string token) override;

 private:
  void Advance(bool last);
  std::string bytes_;  // not passed on yet: an incomplete character
};

/// Each run of tokens <0xHH> becomes one token, the text of its bytes. If these are not UTF-8, each becomes a token
/// U+FFFD.
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

/// Removes up to `start` characters `content` from the start of each token, and up to `stop` from its end.
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
  Index left_;        // how many may still be removed from the start of this token; 0 after any other character
  std::string held_;  // the part that is not passed on yet
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

/// The replacement character becomes a space. In the first token it is removed if the pre-tokenizer may put one there.
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

/// Used when there is no decoder: puts a space between tokens.
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
