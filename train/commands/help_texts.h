#pragma once

#include <string>
#include <vector>

/// What the help says beside the options: the subjects that several commands share, and examples.
namespace ampgrad::train {

/// A subject of `ampgrad help NAME`.
struct Topic {
  const char* name;
  const char* summary;
  const char* text;  // paragraphs; a line that begins with spaces stands as it is
};

/// The topics, in the order in which ampgrad(1) has them.
const std::vector<Topic>& Topics();

struct CommandExample {
  const char* line;     // as it is typed
  const char* meaning;  // "The papers' start, with 16 scores a row"
};

/// The examples of a command; none for a command that needs none.
std::vector<CommandExample> ExamplesOf(const std::string& command);

}  // namespace ampgrad::train
