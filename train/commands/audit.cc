#include "train/commands/commands.h"

namespace ampgrad::train {

// The audit needs the scalar reference and the planted faults, which belong to the tests. So it has its own program.
Command AuditCommand() {
  return {"audit",
          "Audit every gradient: ops, chain, planted faults; with --model a whole model.",
          {{"model", "DIR", "", "audit every tensor of this model instead of the ops"},
           {"adapter", "DIR", "", "adapter over the model: its parts are audited, too"},
           {"tokenizer", "DIR", "", "directory whose tokenizer.json and chat template hold in place of the model's"},
           {"data", "FILE", "", "what the model reads: JSON lines of pairs, or a text; needed with --model"},
           {"length", "N", "256", "tokens a sequence at most, with --model"},
           {"batch", "N", "1", "sequences, with --model"},
           {"seed", "N", "1", "seed of everything random"},
           {"json", "FILE", "", "write the findings as JSON"},
           {"html", "FILE", "", "write the report as one HTML page"}},
          nullptr,
          "ampgrad-audit"};
}

}  // namespace ampgrad::train
