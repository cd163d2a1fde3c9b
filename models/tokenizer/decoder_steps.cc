#include "models/tokenizer/decoder_steps.h"

#include <cstdlib>
#include <optional>

#include "models/tokenizer/byte_map.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The byte of a token <0xHH>.
std::optional<char> FallbackByte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const int high = HexDigit(token[3]), low = HexDigit(token[4]);
  return high < 0 || low < 0 ? std::nullopt : std::optional(static_cast<char>(high << 4 | low));
}

bool IsUtf8(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const io::Utf8Character character = io::CharacterAt(bytes, at);
    if (!character.valid) return false;
    at += character.size;
  }
  return true;
}

}  // namespace

void WholeTokenStep::EndToken() {
  std::string token;
  token.swap(token_);
  Token(std::move(token));
}

void WholeTokenStep::Emit(std::string_view token) {
  next_->Text(token);
  next_->EndToken();
}

void ByteLevelStep::Token(std::string token) {
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const io::Utf8Character character = io::CharacterAt(token, at);
    const auto byte = character.valid ? ByteOfCharacter(character.code_point) : std::nullopt;
    if (!byte) {
      bytes = token;
      break;
    }
    bytes.push_back(static_cast<char>(*byte));
    at += character.size;
  }
  bytes_ += bytes;
  Advance(false);
}

void ByteLevelStep::Advance(bool last) {
  std::string text;
  bytes_.erase(0, io::AppendLossyUtf8(bytes_, last, text));
  next_->Text(text);
}

void ByteLevelStep::Finish() {
  Advance(true);
  next_->EndToken();
  next_->Finish();
}

void ByteFallbackStep::Token(std::string token) {
  if (const std::optional<char> byte = FallbackByte(token)) {
    run_.push_back(*byte);
  } else {
    EndRun();
    Emit(token);
  }
}

void ByteFallbackStep::EndRun() {
  if (run_.empty()) return;
  if (IsUtf8(run_)) {
    Emit(run_);
  } else {
    for (size_t i = 0; i < run_.size(); ++i) Emit("\uFFFD");
  }
  run_.clear();
}

void ByteFallbackStep::Finish() {
  EndRun();
  next_->Finish();
}

void FuseStep::Finish() {
  next_->EndToken();
  next_->Finish();
}

void StripStep::Text(std::string_view part) {
  held_ += part;
  size_t at = 0;
  while (left_ > 0 && held_.compare(at, content_.size(), content_) == 0) {
    at += content_.size();
    --left_;
  }
  held_.erase(0, at);
  // A beginning of content_ may still become a character to remove.
  if (!content_.starts_with(held_)) left_ = 0;
  if (left_ > 0 || stop_ > 0) return;
  next_->Text(held_);
  held_.clear();
}

void StripStep::EndToken() {
  for (Index i = 0; i < stop_ && held_.ends_with(content_); ++i) held_.erase(held_.size() - content_.size());
  next_->Text(held_);
  next_->EndToken();
  held_.clear();
  left_ = start_;
}

void MetaspaceStep::Token(std::string token) {
  const bool drops = first_ && metaspace_.prepend != Metaspace::Prepend::kNever;
  first_ = false;
  Emit(ReplaceAll(token, metaspace_.replacement, drops ? "" : " "));
}

void JoinStep::Token(std::string token) {
  Emit(first_ ? token : " " + token);
  first_ = false;
}

}  // namespace ampgrad::models
