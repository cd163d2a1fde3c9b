#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/chat/chat_template.h"
#include "tensor/io/json.h"

namespace ampgrad::train {

/// A conversation as a file holds it.
struct Conversation {
  std::vector<models::Message> messages;
  bool calls_tools = false;  // then no template here can write it, and the messages are not complete
};

/// Reads a list of messages in any usual spelling:
///   the role   under "role" or "from": system; user or human; assistant, gpt, model or chatgpt; in any case of letters
///   the text   under "content" or "value": a string, or a list of {"type": "text", "text": …}; null is no text
///   learned    an answer, unless it is empty or marked: "weight": 0; "train", "training" or "loss": false; "masked":
///              true (as OpenAI, Mistral, axolotl, ms-swift and torchtune write it)
/// A system message whose text is null is left out. Throws std::runtime_error for anything else, and for fields that
/// would change what a template writes.
Conversation ReadConversation(const io::JsonValue& list);

/// An answer, which is learned unless there is nothing in it but whitespace.
models::Message Answer(std::string text);

/// Whether a field says nothing: null, false, or an empty string, list or object.
bool IsBlank(const nlohmann::json& value);
/// Throws std::runtime_error when a field of `object` that is not read here, and may not be lost in silence, says
/// something.
void RequireBlank(const io::JsonValue& object, std::initializer_list<const char*> fields);

}  // namespace ampgrad::train
