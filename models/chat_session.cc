#include "models/chat_session.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ampgrad::models {

ChatSession::ChatSession(LanguageModel& model, const Tokenizer& tokenizer, const ChatTemplate& chat, std::string system,
                         GenerateOptions options, Index context)
    : model_(model),
      tokenizer_(tokenizer),
      chat_(chat),
      options_(std::move(options)),
      cache_(model.MakeCache(context)) {
  options_.end_tokens.push_back(chat.end);
  if (!system.empty()) messages_.push_back({Role::kSystem, std::move(system)});
  first_ = messages_.size();
}

void ChatSession::Reset() {
  messages_.resize(first_);
  draws_ = 0;
}

std::vector<int> ChatSession::Prompt() const { return Encode(chat_, tokenizer_, RenderPrompt(chat_, messages_)).ids; }

ChatSession::Turn ChatSession::Say(const std::string& text, const std::function<bool(int)>& emit) {
  const std::vector<Message> before = messages_;
  Turn turn;
  try {
    messages_.push_back({Role::kUser, text});
    std::vector<int> prompt = Prompt();
    // Room is left for a short answer, as long as there is anything to drop for it.
    const Index room = std::min(options_.max_tokens, cache_.positions() / 4);
    const auto length = [&] { return static_cast<Index>(prompt.size()); };
    while (length() + room > cache_.positions() && messages_.size() > first_ + 1) {
      messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(first_),
                      messages_.begin() + static_cast<std::ptrdiff_t>(first_) + 2);
      ++turn.dropped;
      prompt = Prompt();
    }
    if (length() >= cache_.positions()) {
      throw std::runtime_error("expected a message that leaves room for an answer in the context of " +
                               std::to_string(cache_.positions()) + " tokens, found one of " +
                               std::to_string(length()) + " with all that goes with it");
    }
    turn.answer = tokenizer_.Decode(Answer(prompt, emit, turn), /*skip_special=*/true);
  } catch (...) {
    messages_ = before;
    throw;
  }
  messages_.push_back({Role::kAssistant, turn.answer});
  return turn;
}

std::vector<int> ChatSession::Answer(const std::vector<int>& prompt, const std::function<bool(int)>& emit, Turn& turn) {
  // The last id is read in any case, for its logits.
  const auto same = std::mismatch(prompt.begin(), prompt.end() - 1, cached_.begin(), cached_.end()).first;
  cache_.length = same - prompt.begin();
  cached_.resize(cache_.length);
  std::vector<int> unread(same, prompt.end()), answer;
  turn.read = static_cast<Index>(unread.size());
  for (Index added = 0; added < options_.max_tokens; ++added) {
    turn.is_full = cache_.length + static_cast<Index>(unread.size()) > cache_.positions();
    if (turn.is_full) break;
    const int next = NextToken(model_, unread, cache_, options_, draws_++);
    cached_.insert(cached_.end(), unread.begin(), unread.end());
    if (std::ranges::count(options_.end_tokens, next) > 0) break;
    answer.push_back(next);
    if (!emit(next)) break;
    unread = {next};
  }
  return answer;
}

}  // namespace ampgrad::models
