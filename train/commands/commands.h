#pragma once

#include <string>
#include <vector>

#include "train/commands/options/options.h"

namespace ampgrad::train {

/// A command of the program.
struct Command {
  const char* name;
  const char* summary;
  std::vector<OptionSpec> options;
  // Returns the exit code; throws what is reported in a sentence. Null for the help, and for what `program` runs.
  int (*run)(const Options& options);
  const char* program = nullptr;  // the program beside this one that runs the command; null: this one
  bool ranks = false;             // several ranks may run it together
};

Command DemoCommand();
Command PretrainCommand();
Command SftCommand();
Command PlanCommand();
Command StudyCommand();
Command ReportCommand();
Command SweepCommand();
Command GenerateCommand();
Command EvalCommand();
Command ChatCommand();
Command MergeCommand();
Command ExportCommand();
Command QuantizeCommand();
Command AnalyzeCommand();
Command CheckCommand();
Command CountCommand();
Command TokenizeCommand();
Command TraceCommand();
Command AuditCommand();
Command SynthCommand();
Command HelpCommand();
Command VersionCommand();

}  // namespace ampgrad::train
