#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>

#include "models/chat_session.h"
#include "models/model_directory.h"
#include "tensor/io/note.h"
#include "train/commands/commands.h"
#include "train/commands/options/data_options.h"
#include "train/commands/options/generation_options.h"
#include "train/commands/options/model_options.h"
#include "train/commands/program.h"
#include "train/data/wording.h"
#include "train/interrupt.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"

namespace ampgrad::train {
namespace {

// The next line that says something, without spaces around it; none at the end of the input.
std::optional<std::string> ReadLine(bool is_terminal) {
  std::string line;
  do {
    if (is_terminal) std::fputs("> ", stdout);
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) return std::nullopt;
    line.erase(0, line.find_first_not_of(" \t\r"));
    line.erase(line.find_last_not_of(" \t\r") + 1);
  } while (line.empty());
  return line;
}

// Says a line and shows the answer as it comes. Ctrl-C ends the answer; another one, or any other signal, the program.
void Converse(const Options& options, const models::Tokenizer& tokenizer, models::ChatSession& session,
              const std::string& line) {
  const DeferSignals until_the_answer_ends;
  models::StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  const auto turn = session.Say(line, [&](int id) {
    PrintGenerated(options, decoder.Push(id));
    return std::fflush(stdout) == 0 && NotedSignal() == 0;
  });
  PrintGenerated(options, decoder.Finish() + "\n");
  if (TakeSignal(SIGINT)) io::Note("the answer was interrupted");
  StopIfSignalled();
  if (turn.dropped > 0) {
    io::Note("the context was full: dropped the oldest " + std::to_string(turn.dropped) + " of the turns before this");
  }
  if (turn.is_full) io::Note("the context is full: the answer ends here");
}

int ChatMain(const Options& options) {
  models::GenerateOptions generate = ReadGeneration(options);
  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  const std::filesystem::path directory = given.Texts();
  models::LanguageModel* const model = given.model.get();
  const models::Tokenizer tokenizer = models::LoadTokenizer(directory, *model);
  const auto chat = ChooseTemplate(ReadTemplate(options), SampleKind::kMessages, directory, tokenizer);
  AddVocabulary(directory, *model, tokenizer, generate);
  const Index context = ReadLength(options, *model);
  RequireMemoryToGenerate(*model, context, context, AvailableMemory(), "--length");
  models::ChatSession session(*model, tokenizer, chat, options.String("system"), generate, context);

  const bool is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  int code = 0;
  while (const std::optional<std::string> line = ReadLine(is_terminal)) {
    if (*line == "/exit") return code;
    if (*line == "/reset") {
      session.Reset();
      continue;
    }
    try {
      Converse(options, tokenizer, session, *line);
    } catch (const Interrupted&) {
      throw;
    } catch (const std::runtime_error& error) {
      PrintError("ampgrad chat", error.what());
      if (!is_terminal) code = 1;
    }
    if (std::ferror(stdout)) return 1;
  }
  if (is_terminal) std::fputs("\n", stdout);
  return code;
}

}  // namespace

Command ChatCommand() {
  return {"chat", "Talk with a model, a line at a time; /reset begins anew, /exit or the end of the input ends it.",
          Join({ModelOptionSpecs(),
                {{"system", "TEXT", "", "what the system says before the conversation"},
                 {"template", "NAME", "", "zephyr, chatml, llama2 or llama3; default: the model's own"},
                 {"length", "N", "", "tokens of the conversation that are kept; default: the model's context"}},
                GenerationOptionSpecs("512")}),
          ChatMain};
}

}  // namespace ampgrad::train
