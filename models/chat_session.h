#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/chat/chat_template.h"
#include "models/generate.h"
#include "models/tokenizer/tokenizer.h"

namespace ampgrad::models {

/// A conversation with a model in its chat template. The keys and values of all that was read stay cached: a turn reads
/// only what differs from the ids before, as the template encodes the whole conversation. When the context has no room
/// left, the oldest turns are dropped.
class ChatSession {
 public:
  /// What became of a turn.
  struct Turn {
    std::string answer;
    Index dropped = 0;     // earlier turns, of a user and an answer each, that had to go
    bool is_full = false;  // the answer ends where the context does
    Index read = 0;        // tokens that were read before the answer began; the others were in the cache
  };

  /// The model must outlive the session. `system` may be empty. Of `options`, the ends are those of the model; that of
  /// the template is added. `context` is the largest number of tokens that are kept, at most the model's context.
  ChatSession(LanguageModel& model, const Tokenizer& tokenizer, const ChatTemplate& chat, std::string system,
              GenerateOptions options, Index context);

  /// Says `text` and returns the answer. `emit` receives each id as it comes; once it returns false, the answer ends,
  /// and what was said stays. Throws std::runtime_error, with the conversation as it was before, when the text cannot
  /// be encoded, or when it leaves no room for an answer even alone.
  Turn Say(const std::string& text, const std::function<bool(int)>& emit);
  /// Forgets everything but the system message.
  void Reset();

 private:
  std::vector<int> Prompt() const;
  // Reads what of `prompt` is not in the cache, and generates the ids of an answer.
  std::vector<int> Answer(const std::vector<int>& prompt, const std::function<bool(int)>& emit, Turn& turn);

  LanguageModel& model_;
  const Tokenizer tokenizer_;
  const ChatTemplate chat_;
  GenerateOptions options_;
  std::vector<Message> messages_;
  size_t first_;  // of the messages, behind that of the system
  nn::KvCache cache_;
  std::vector<int> cached_;  // the ids whose keys and values the cache holds
  uint64_t draws_ = 0;
};

}  // namespace ampgrad::models
