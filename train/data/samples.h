#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/chat/chat_template.h"

namespace ampgrad::train {

/// What the lines of a file hold.
enum class SampleKind { kPrompt, kQuestion, kInstruction, kMessages, kText };

/// A conversation to learn from.
struct Sample {
  // In kText one answer, to nothing; in any other kind but kMessages, the last two are the user's and the assistant's.
  std::vector<models::Message> messages;
  std::string input;  // what an instruction works on; often empty
  Index line = 0;     // line in the file, from 1; 0 when it comes from no file
};

struct Samples {
  SampleKind kind = SampleKind::kPrompt;
  std::vector<Sample> all;
  Index tool_calls = 0;  // conversations that are left out, as they call tools
};

/// A sample of any kind but kMessages and kText.
Sample MakeSample(std::string prompt, std::string answer, std::string input = "");

/// Whether an answer of the sample is to be learned.
bool HasAnswer(const Sample& sample);

/// Reads JSON lines, or one JSON array of the same objects, all of one kind:
///   {"messages": […]} or {"conversations": […]}, as ReadConversation reads them
///   {"prompt": […], "completion": […]}, the same in two parts, of which the first is context; one may be a string
///   {"instruction", "input", "output"}, where input may be missing or empty
///   {"prompt", "completion"}
///   {"question", "answer"}
///   {"text"}, of which every token is learned
/// each but the last with a system prompt under "system" or "system_prompt", and all but messages with earlier turns
/// under "history": [[question, answer], …], which are learned, too. A key with the value null is as good as missing.
/// Other keys are ignored, except for those that would change what is to be learned, such as "tools". A sample without
/// an answer is kept, for the caller to skip and count. The whole file, of at most 1 GiB, is read at once, so later
/// changes to it have no effect. Throws std::runtime_error with file, line and key for anything else, for a repeated
/// key, and for a file without samples.
Samples ReadSamples(const std::filesystem::path& path);

}  // namespace ampgrad::train
