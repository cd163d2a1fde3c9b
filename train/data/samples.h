#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/chat/chat_template.h"

namespace ampgrad::train {

/// What the lines of a file hold.
enum class SampleKind { kPrompt, kQuestion, kInstruction, kMessages };

/// A conversation to learn from.
struct Sample {
  std::vector<models::Message> messages;  // in any kind but kMessages: one of the user, one of the assistant
  std::string input;                      // what an instruction works on; often empty
  Index line = 0;                         // line in the file, from 1; 0 when it comes from no file
};

struct Samples {
  SampleKind kind = SampleKind::kPrompt;
  std::vector<Sample> all;
};

/// A sample of any kind but kMessages.
Sample MakeSample(std::string prompt, std::string answer, std::string input = "");

/// Reads JSON lines, all of one kind:
///   {"messages": [{"role": "system" | "user" | "assistant", "content"}, …]}
///   {"conversations": [{"from": "system" | "human" | "gpt", "value"}, …]}, read as messages
///   {"instruction", "input", "output"}, where input may be missing or empty
///   {"prompt", "completion"}
///   {"question", "answer"}
/// Other keys are ignored. Only a system message or an input may be empty, and every conversation has a message of the
/// assistant. Blank lines, CRLF, a byte-order mark and a last line without a line break are accepted. The whole file,
/// of at most 1 GiB, is read at once, so later changes to it have no effect. Throws std::runtime_error with file, line
/// and key for anything else, for a line over 16 MiB, for a repeated key, and for a file without samples.
Samples ReadSamples(const std::filesystem::path& path);

}  // namespace ampgrad::train
